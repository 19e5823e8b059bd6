"""Drawn shoes and handbags: the project's own pictures.

A picture shows a content (silhouette, parts, pose) in a style (colours, pattern, material). The two
are drawn independently, so any content can have any style of its kind. Every content also has an
edge map, which does not depend on the style.
"""
