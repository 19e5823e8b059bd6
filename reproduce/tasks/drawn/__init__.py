"""Drawn shoes and handbags: the project's own pictures.

A picture is a content (silhouette, parts, pose) in a style (colours, pattern, material); the two
are drawn independently of each other, so any content goes with any style of its kind. Every
content also has an edge map, which knows nothing of styles.
"""
