"""Stands where torchcfm has its pairing by optimal transport, which needs POT: 180 MB.

Its matchers without optimal transport import this name too, and never use it.
"""


class OTPlanSampler:
    def __init__(self, **settings: object) -> None:
        raise NotImplementedError("this copy of torchcfm has no optimal transport: see __init__.py.")
