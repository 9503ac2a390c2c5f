"""The book: the course as a web site, made of the same source as the notebooks."""
