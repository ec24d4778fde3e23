"""What the names of keypoints tell."""

_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


def mirrored(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each keypoint the index of its mirror image, by `left` and `right` in their names.

    Empty if no name has a side, or the other side of one is missing: then nothing is known.
    """
    words = [tuple(name.lower().replace("-", "_").split("_")) for name in names]
    other = [tuple(_SIDES.get(word, word) for word in parts) for parts in words]
    if other == words or not all(parts in words for parts in other):
        return ()
    return tuple(words.index(parts) for parts in other)
