"""The step phase and dynamic mode through the console script."""

from __future__ import annotations

import os
import signal

from tests.end_to_end.conftest import QUICK, Shell
from tests.end_to_end.test_run import count, wait_for

STEPWISE = r'''
import re

from sandbox.guest import MemoryDesign


class Stepwise(MemoryDesign):
    """Tells the one answer that is asked for."""

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.known = {}

    def update(self, trajectory):
        for step in trajectory.steps:
            self.known.update(re.findall(r"the (\w+) is (\w+)[.]", step.observation))

    def retrieve(self, query):
        cue = query.observation.rpartition(" ")[2].strip("?")
        return [f"call the {cue} {self.known[cue]}"] if cue in self.known else []
'''
DYNAMIC = (*QUICK, "--mode", "dynamic", "--finalists", "0")


def test_a_stepwise_design_is_evaluated_and_shown_step_by_step(shell: Shell) -> None:
    shell.write("mine.py", STEPWISE)
    shell.write("at_start.py", STEPWISE.replace('"begin", "step"', '"begin"'))
    command = (*QUICK, "--allow-unsafe", "--json")
    stepwise, at_start = (shell.here("eval", file, *command).json for file in ("mine.py", "at_start.py"))
    assert stepwise["status"] == at_start["status"] == "ok", stepwise["reason"]
    assert stepwise["run"] == at_start["run"] == 1
    assert stepwise["score"] > at_start["score"] + 0.3
    assert stepwise["gain"]["interval"][0] > 0.3
    assert shell.here("eval", "mine.py", *command).json == stepwise
    example = shell.here("show", stepwise["design"], "--json").json["example"]
    assert [change["step"] for change in example["told"]] == [0, 1, 2, 3]
    lines = shell.here("show", stepwise["design"]).out.splitlines()
    at = lines.index("at step 2:")
    assert lines[at + 1] == example["told"][2]["items"][0]["text"]
    example = shell.here("show", at_start["design"], "--json").json["example"]
    assert [change["step"] for change in example["told"]] == [0]


def test_dynamic_mode_is_another_run_in_which_designs_learn_on(shell: Shell) -> None:
    shell.write("mine.py", STEPWISE)
    command = ("eval", "mine.py", *QUICK, "--collection", "2", "--allow-unsafe")
    static = shell.here(*command, "--json").json
    dynamic = shell.here(*command, "--mode", "dynamic", "--json").json
    assert (static["run"], dynamic["run"]) == (1, 2)
    assert dynamic["score"] > static["score"] + 0.2
    assert dynamic["no_memory"]["mean"] == static["no_memory"]["mean"]
    assert (dynamic["n"], dynamic["interval"], dynamic["gain"]["interval"]) == (1, None, None)
    said = shell.here(*command, "--mode", "dynamic").out
    assert "on recall (dynamic mode)" in said
    assert "One pass through the tasks has no interval" in said
    passes = shell.here(*command, "--mode", "dynamic", "--repeats", "2", "--json").json
    assert (passes["n"], len(passes["interval"]), passes["gain"]["n"]) == (2, 2, 2)
    assert shell.here(*command, "--mode", "static", "--json").json == static
    refused = shell.here(*command, "--mode", "wild")
    assert (refused.code, refused.out) == (2, "")
    assert "mode: input should be 'static' or 'dynamic'" in refused.err


def test_a_dynamic_run_reuses_no_episode_and_is_tested_as_it_ran(shell: Shell) -> None:
    result = shell.here("run", *DYNAMIC, "--designs", "3", "--json").json
    collected, baselines = 8 * 3, 3
    assert (result["evaluated"], result["failed"], result["reused"]) == (3, 0, 0)
    played = collected + 8 * (baselines + 3)
    assert played < result["played"] <= played + 8, "what is more went into the choice of the constant text"
    looked = shell.here("test", "1", "--tasks", "6", "--repeats", "1", "--sandbox", "process", "--workers", "0")
    assert looked.code == 0, looked.err
    assert "on 6 held-out tasks of recall (dynamic mode)" in looked.out


def test_a_killed_dynamic_run_ends_as_if_it_had_not_been(shell: Shell) -> None:
    path = shell.folder / "palimpsest.db"
    command = ("run", *DYNAMIC, "--designs", "10", "--json")
    process = shell.start(*command)
    wait_for(path, "event", 3, process, "state = 'evaluated'")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = count(path, "evaluation")
    resumed = shell.here(*command)
    assert resumed.code == 0, resumed.err
    result = resumed.json
    assert (result["run"], result["status"]) == (1, "done")
    assert result["played"] == 8 * (result["evaluated"] + 3 - done)
    assert count(path, "evaluation") == result["evaluated"] + 3
    whole = shell.here(*command, "--archive", "whole.db").json
    assert whole["top"] == result["top"]
