"""What runs behind the wall. Nothing here may hold or reach a test, an answer or a score.

Of this package, only this folder, ``wire.py`` and ``limits.py`` can be seen in the sandbox.
"""
