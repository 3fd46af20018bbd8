"""What the CLI's commands do. Only these modules write to the terminal, all of them through `evolve.commands.show`.

With `--json` a command writes one JSON value to standard output, `log` one a line, and nothing else; progress and
complaints go to standard error. An *estimate* is `{"mean", "interval": [low, high], "n"}`: a mean over n tasks, in
dynamic mode over n passes, with its 95 % interval, which is null where n is 1; it is null where there is none. A
*design* is named by its whole id. Times are ISO 8601 in UTC, durations in seconds.

run, top    `run`, `status`, `domain`, `strategy`, `designs` (asked for), `evaluated`, `failed`, `rejected` (they told
            just what another one tells), `dropped` (on the small rung), `audited` (would have been dropped, and went
            on), `audited_better` (of these, ended above their parent), `audited_among_best` (of these, ended among as
            many best as there are finalists), `no_memory`, `nearest_trajectory` and `constant` (estimates), `archive`,
            `finalists`: a list of `design`, `searched` and `confirmed` (estimates of the gain), `optimism` (their
            difference), `dominance` (probability of being better than another finalist, null after a single pass),
            `controls` (gains by name: `blank`, `shuffled`); `top`: a list of `rank`, `design`, `number`, `score`,
            `interval`, `n`, `gain` (estimate, paired by task, over no memory), `gain_over_nearest`, `tokens`,
            `summary`, `change`; `run` also has `played` and `reused`, the episodes of this sitting, and `models`,
            what `costs` says of the run
runs        a list of `run`, `status` (running, interrupted, out of budget, done), `domain`, `agent`, `strategy`,
            `proposer`, `seed`, `designs`, `evaluated`, `failed`, `rejected`, `dropped`, `audited`, `audited_better`,
            `audited_among_best`, `best` (`design`, `score`, `interval`, `n`; or null), `cost` (of models: `calls` that
            were paid, `tokens`, `dollars`, null where the price of any is unknown), `looks`, `sandbox`, `created`,
            `seconds`, `busy` (share of the workers' time in which they had a job; or null), `config` (all flags)
show        `design`, `run`, `number` (0: a baseline), `state`, `reason`, `origin`, `summary`, `change`, `score`,
            `interval`, `n`, `no_memory`, `gain`, `gain_over_nearest`, `gain_over_parent`, `tokens`, `cut`, `calls`,
            `seconds`, `cost` (of models on its account: `calls`, `tokens`, `dollars`), `parents` and `children`
            (`design`, `number`, `change`, `score`), `lineage` (the same, first ancestor first), `life` (`state`,
            `reason`, `time`), `tasks` (`task`, `score`, `no_memory`, `nearest_trajectory`, `parent`), `example`
            (`task`, `score`, `told`: a list of `step` and `items`, a list of `id`, `text`: what was told first, and
            each change during the episode), `thoughts`
            (of the model that wrote it, else null: `plan` (`learned`, `episodes`: a list of `task`, `label`, `why`;
            `content_problems`, `structure_problems`, `changes`: a list of `priority`, `part`, `what`, `why`),
            `manifest` (`hypothesis`, `part`, `improves`, `at_risk`: tasks), `came_true` (of these tasks `improved`,
            `missed`, `harmed`, `spared`; `unforeseen` losses; `summary`), `attempts` as pairs of design and failure,
            `cut` from the prompts, `warnings`, and what it took: `calls`, `tokens_in`, `cached`, `tokens_out`,
            `dollars`), `comparison` (with the design that it was asked of, where the strategy compares, else null:
            `rival`, `decided_by` (measured, criteria or judge), `author`, `total`, `rival_total`, `value` (local, in
            [0, 1]), `difference` (estimate), `criteria`: a list of `name`, `weight`, `ours`, `theirs`, `critique`;
            `signs` (their differences), `operators` (factors of the weights for its children), `meta_prompt`,
            `lessons`, `tokens`, `dollars`), `source`
costs       `run`, `calls` (paid), `hits` (answered by an earlier equal call, free), `tokens_in` and of them `cached`
            (from the provider's cache) and `written` (to it), `tokens_out` and `reasoning` of them, `dollars` (null
            where the price of any is unknown), `unpriced` calls, `unusable` ones (paid, without a usable answer),
            `seconds` (median latency, null for sums), `costs`: a list of the same for each `role` and `model`, or
            `design`; with --calls a list of `call`, `run`, `role`, `model`, `design`, `sample`, tokens, `dollars`,
            `seconds`, `finish`, `problem`, `hit_of`, `created`; with --call that one with `request` and `reply`
pareto      `run`, `designs` (evaluated), `delay` (counted, or seconds), `front`: a list of `design`, `number`, `score`,
            `interval`, `n`, `cost` (tokens an episode), `delay`, `entered` (after how many scores; null in an archive
            that kept no fronts), `defects` (a list of `part`, `name`, `severity`, `evidence`, `remedy`); `former`: the
            same of those that were on it, with `beaten` (after how many scores)
tree        `run`, `strategy`, `nodes`: a list, parents before children, of `design`, `number`, `parent` (that it was
            asked of, null at a root), `depth` (0 for a root), `state`, `score`, `interval`, `n`, `value` (Q; null where
            the strategy has none), `visits`, `change`, `comparison` (as in `show`)
compare     `by` (episodes, designs or dollars), `budget` (that all had), `seeds`, `left_out` (runs of other seeds),
            `sides`: a list, the best first, of `side`, `search` (gain over no memory by then, on the tasks that
            selected), `area` (its mean on the way), `confirmed`, `test` (gains of what the whole runs chose; null where
            not all played them), all estimates over seeds (of one seed over its tasks), `runs`: a list of `run`,
            `seed`, `episodes`, `designs`, `dollars` (of the whole run), `steps`: a list of `design`, `gain`,
            `episodes`, `designs`, `dollars`, where the best changed; `pairs`: of each of the four a list of `first`,
            `second`, `difference` (estimate), `p`, `adjusted` (Holm); `curves`: a list of `side`, `points`, a list of
            `at`, `gain` (estimate)
insights    `list`: a list of `insight` (its number), `kind` (operator, block, range, tactic, lesson), `subject`,
            `domain`, `stage` (start, weak, strong; null for any), `sentence`, `gain` (estimate over designs, beyond
            what is usual; of a lesson the gain of the changes that showed it; or null), `runs` (their keys), `designs`
            (the last ones), `tasks`, `uses`, `wins`, `credit`; `show`: the same with `known` (false where it was
            deleted or merged) and `history`: a list of `operation`, `kind` (add, modify, merge, delete), `targets`,
            `run`, `told` (after how many scores), `author`, `reason`, `gain`, `time`; `learn`: `run`, `operations`;
            `forget`: `insight`, `operation`; `export`: `file`, `insights`; `import`: `file`, `read`, `added`,
            `modified`
hint        `hint` (its number), `run`; without a text a list of `hint`, `text`, `asked` (after how many requests),
            `designs` (asked with it), `gain` (estimate over designs, over what they were asked of)
log         a line of JSON for each thing that happened, and at the end one of the kind `status`: `time` (null where it
            was not kept), `kind` (event, score, calls, insight, hint, look, request, status) and the fields that
            `archive.log.Happening` lists
report      `run`, `file`, `bytes`
elites      `run`, `quality` (sum of the niches' gains over no memory), `niches`: a list of `store`, `tokens` (from,
            to), `designs` (how many), and of the best of them `design`, `score`, `interval`, `n`, `retrieved` (tokens)
diff        `a`, `b`, `equal`, `diff` (unified; of foreign code both in one layout, without comments)
trace       `run`, `design`, `episodes`: a list of `task`, `repeat`, `score`, `success`, `length` (in steps); `episode`:
            the same of the one that is shown, with `goal`, `observation` (the first), `steps`: a list of `action`,
            `observation`, `reward`, and `told`: a list of `step` and `items`, a list of `id`, `text`
search      a list of `where` (code, traces, collection), `design`, `episode`, `line` (its number), `text`
submit      as `eval`, with `parents`, `gain_over_parent` (estimate, paired by task) and `flips` (null without a
            parent): `better` and `worse`, the tasks that came out otherwise, each with both scores, the parent's
            first; `equal` (tasks)
eval        `design`, `status` (ok, failed, rejected), `reason`, `score`, `interval`, `n`, `no_memory`,
            `nearest_trajectory`, `constant`, `gain`, `gain_over_nearest`, `gain_over_constant`, `tokens`, `cut`,
            `variant` (`no-llm variant` where it would ask a model and the run has none), `sandbox`, `not_isolated`,
            `domain`, `run`
check       `design` (null where the file holds none), `sandbox`, `passed`, `checks`: a list of `name`, `passed`,
            `detail`; `seconds`
test        `run`, `design`, `domain`, `score`, `interval`, `n`, `no_memory`, `nearest_trajectory`, `constant`,
            `gain`, `gain_over_nearest`, `gain_over_constant`, `search_score`, `tokens`, `cut`, `variant`,
            `repeats`, `look` (1 for the first), `sandbox`, `not_isolated`
replay      `run`, `requests`, `differences`: a list of `request`, `design`, `difference`
export      `design`, `run`, `path`, `wheel` (of a package; or null), `memory` (whether it comes with what it learned),
            `requires` (packages), `lines`, `proof` (`episodes`, `queries`, `items`, `as_recorded`: queries whose
            answer the archive held, `seconds`; or null), `seconds`; with --tree `run`, `folder`, `files`
import      `design`, `exported_as` (its design then), `edited`, `blocks` (edited, and now the design's own), `parents`,
            `run` (has the first of them; or null), `file`; with --submit what `submit` has
minimise    `design` (what is left), `source_of` (the whole one), `run` (that the trials are in), `lines`,
            `lines_before`, `removed` (labels, in the order in which it went), `trials`, `is_minimal` (false where the
            trials were used up), `score`, `difference` (estimate, paired with the whole, on the tasks that decided),
            `same` (it tells just the same), `confirmed` (the same on confirmation tasks; null where one failed there),
            `is_confirmed`, `parts`: a list of `part`, `line`, `without` (score), `difference` (estimate; both null
            where it does not run without), `failure`; `source`
serve       nothing: standard output is the protocol's
domains     a list of `domain`, `version`, `installed`, `roles` (tasks by role), `max_steps`, `licence`, `summary`,
            `reward` (what the score is), `comparable` (whether with published scores, and why), `origin` (ours, or the
            package or file that brings it), `remedy` (why it can not be played here, and what mends that); with check
            `domain`, `version`, `passed`, `checks`: a list of `name`, `passed`, `detail`; `seconds`
play        `domain`, `task`, `seed`, `score`, `won`, `over` (false where it was left), `steps`: a list of `action`,
            `reward`; `design` (or null) and `told`: a list of `step` and `items`, a list of `id`, `text`
doctor      `usable`, `findings`: a list of `name`, `ok`, `needed`, `detail`, `remedy`; of an archive: `usable` (as it
            is left), `copy` (path of the archive as it was before something was mended; or null), `findings`: a list
            of `name`, `ok` (it was, or it is mended), `detail`, `mended` (what was done), `remedy` (what a person can)

Exit codes: 0 done; 1 it ran, but the design failed or something needed is missing; 2 bad input or a fault of the
machine, with one sentence on standard error; 130 interrupted.
"""
