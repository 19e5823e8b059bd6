"""Drawn heads of house cats, big cats and dogs: domains of four modes each.

A picture is a content (pose, gaze, expression, backdrop: one meaning and one distribution for
all animals) in a style (what a mode leaves open: hues, layout of stripes and spots). The domains
differ in the shape of face, ears, eyes and muzzle, the modes of a domain in coat and features.
"""
