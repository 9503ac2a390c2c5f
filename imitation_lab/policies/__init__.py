"""Policy classes, one module each: how a network represents a distribution over actions.

Nothing is imported here: a course release leaves out the modules whose notebooks are still due.
"""
