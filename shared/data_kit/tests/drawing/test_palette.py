from data_kit.drawing import color_of


def test_classes_have_colors_of_their_own() -> None:
    assert len({color_of(class_id) for class_id in range(21)}) == 21
