"""The human preference study behind the Quality column: prepare, serve, export, analyse.

Protocol: MUNIT (arXiv 1804.04732), section 5.2. A person sees an input and two translations of
it by different methods, with unlimited time, and says which is the more accurate; the number is
the percentage that prefers a method to full MUNIT.
"""
