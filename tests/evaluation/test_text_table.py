from mer_jax.evaluation.text_table import columns


def test_numbers_stand_to_the_right():
    assert columns(["class", "clips"], [["Sad", "7"], ["Happy", "12"]]) == [
        "class  clips",
        "Sad        7",
        "Happy     12",
    ]


def test_several_columns_to_the_left_and_none_to_fill_up():
    lines = columns(["", "cell", "n"], [["a", "bb", "1"], ["ccc", "d", ""]], left=2)
    assert lines == ["     cell  n", "a    bb    1", "ccc  d"]


def test_wide_characters_take_two_columns():
    lines = columns(["name", "n"], [["悲しい", "1"], ["sad", "2"]])
    assert lines[1] == "悲しい  1"
    assert lines[2] == "sad     2"


def test_control_characters_do_not_reach_the_terminal():
    assert "\x1b" not in "".join(columns(["a"], [["\x1b[31mred"]]))
