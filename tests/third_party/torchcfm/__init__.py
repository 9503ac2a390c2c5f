"""The part of torchcfm 1.0.7 that the tests compare with.

``conditional_flow_matching.py`` and ``LICENSE`` (MIT) are the published wheel's own files, byte for
byte. The whole package can't be a dependency: by way of torchdyn it asks for pytorch-lightning,
torchvision and twenty more, none of which this file needs.
"""
