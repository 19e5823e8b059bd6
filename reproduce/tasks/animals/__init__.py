"""Drawn heads of house cats, big cats and dogs: domains of four modes each.

A picture shows a content (pose, gaze, expression, backdrop: with the same meaning and distribution
for all animals) in a style (hues, layout of stripes and spots: what varies within a mode). Domains
differ in the shape of face, ears, eyes and muzzle, and a domain's modes in coat and features.
"""
