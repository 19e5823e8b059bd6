"""The human preference study behind the Quality column: prepare, serve, export, analyse.

Protocol: MUNIT (arXiv 1804.04732), section 5.2. A person sees an input and its translations by two
methods, without a time limit, and chooses the more accurate one. The result is the percentage that
prefers a method to full MUNIT.
"""
