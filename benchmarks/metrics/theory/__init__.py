"""Tests of MUNIT's theory of optimal networks on encoded pictures: are styles distributed as N(0,
I), and do the content codes of both domains have the same distribution?"""
