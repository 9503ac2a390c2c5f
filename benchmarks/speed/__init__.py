"""The library's speed beside its peers, in the same minute: `python3 course.py bench`."""
