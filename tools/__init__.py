"""The build: from the scripts in ``source/`` to everything that students and instructors open.

A script is read (``source``) and held to the dialect's rules (``rules``, ``marks``), compiled to Otter's
documented cells (``master``), handed to ``otter assign`` (``assign``), written out so that two builds
agree to the byte (``write``), described for the grader (``describe``) and searched for leaks (``leaks``).
``build`` is the verb.
"""
