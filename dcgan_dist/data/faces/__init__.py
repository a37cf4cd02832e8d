"""Faces in photographs, and the square around each that becomes an image; no Ray.

The paper's set of faces was made like this (section 4.2): OpenCV's face detector over photographs of people, of which
the boxes of sufficient resolution were kept, with no augmentation. Parameters of the detector are not published.
"""
