"""Lanes keep a task with its worker, and let no worker idle while anything waits."""

from evolve.lanes import Lanes


def test_a_worker_takes_its_own_and_the_shared_lowest_number_first() -> None:
    lanes = Lanes(2)
    for number, ticket, lane in ((3, 30, 0), (1, 10, None), (2, 20, 0), (0, 5, 1)):
        lanes.push(number, ticket, lane)
    assert [lanes.pop(0) for _ in range(3)] == [10, 20, 30]


def test_a_worker_with_nothing_to_do_takes_from_the_longest_lane() -> None:
    lanes = Lanes(3)
    for number, ticket, lane in ((1, 10, 1), (2, 20, 2), (3, 30, 2)):
        lanes.push(number, ticket, lane)
    assert [lanes.pop(0) for _ in range(4)] == [20, 10, 30, None]


def test_a_task_has_one_lane() -> None:
    lanes = Lanes(4)
    assert all(lanes.lane_of(name) == lanes.lane_of(name) for name in ("a", "b"))
    assert {lanes.lane_of(f"task {i}") for i in range(50)} == {0, 1, 2, 3}


def test_designs_are_built_only_by_who_can() -> None:
    lanes = Lanes(2)
    lanes.push(1, 10, None, builds=True)
    lanes.push(2, 20, None)
    assert [lanes.pop(0, builds=False), lanes.pop(0, builds=False), lanes.pop(1)] == [20, None, 10]


def test_a_lane_that_comes_later_takes_part_and_one_without_a_worker_is_emptied_by_others() -> None:
    lanes = Lanes(1)
    lanes.push(1, 10, 0)
    lanes.widen(3)
    lanes.push(2, 20, 2)
    assert {lanes.lane_of(f"task {i}") for i in range(50)} == {0, 1, 2}
    assert sorted([lanes.pop(1) or 0, lanes.pop(1) or 0]) == [10, 20]
