"""The build, from the scripts in ``source/`` to everything that students and instructors open; and other verbs.

A script is read (``source``) and held to the dialect's rules (``rules``, ``marks``), compiled to Otter's
documented cells (``master``), handed to ``otter assign`` (``assign``), written out so that two builds
agree to the byte (``write``), described for the grader (``describe``) and searched for leaks (``leaks``).
``build`` is the verb. Of the others, ``release`` writes what students get, ``solutions`` runs the solved
notebooks, ``book`` makes the web site of them, and ``check`` says what must hold before a commit. The rest
made files of ``assets/``: ``pictures``, ``recorded``, ``supervise``, ``pusht``.
"""
