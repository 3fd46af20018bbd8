// The graph of a run's designs: `/api/runs/N/lineage/graph` gives columns, the controls beside it say how they are drawn.
"use strict";
(() => {
  const STEPS = 7;
  const LARGE = 2000; // designs, from which on their symbols are drawn in bulk
  const LINKED = 3000, BEST = 50; // designs of which all links are drawn; beyond, best ones to which those are that lead there
  const RAMPS = { light: ["#dccb7e", "#7d9a8c", "#00386b"], dark: ["#3b557f", "#8c9a86", "#fde36b"] };
  const SCORED = new Set(["evaluated", "finalist", "best"]);
  const OPEN = new Set(["proposed", "smoke", "small", "full", "audited"]);
  let shown = null; // the graph that is drawn: its data, chart, places by design and what the last drawing made of them

  // Colours

  function ramp() {
    const paper = palimpsest.colour("paper");
    const isDark = parseInt(paper.slice(1, 3), 16) < 128;
    const stops = RAMPS[isDark ? "dark" : "light"].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
    return Array.from({ length: STEPS }, (_, i) => {
      const at = (i / (STEPS - 1)) * 2, left = Math.min(1, Math.floor(at)), share = at - left;
      return `rgb(${stops[left].map((part, c) => Math.round(part + (stops[left + 1][c] - part) * share)).join(",")})`;
    });
  }

  // What is drawn where

  function control(name) {
    return document.querySelector(`#lineage-controls [name="${name}"]`);
  }

  function kindOf(state) {
    if (SCORED.has(state)) return "scored";
    if (state === "dropped") return "dropped";
    return OPEN.has(state) ? "open" : "failed";
  }

  function visible(data) {
    const state = control("show").value, least = parseFloat(control("least").value);
    return data.designs.map((_, i) => (state === "all" || kindOf(data.states[i]) === state) && (Number.isNaN(least) || (data.scores[i] ?? -1) >= least));
  }

  function range(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
    return low <= high ? [low, high] : [0, 1];
  }

  function columns(data) {
    const [low, high] = range(data.scores);
    const below = low - Math.max(0.03, (high - low) * 0.08);
    const x = control("across").value === "generation" ? data.depth : data.numbers;
    const y = control("up").value === "score" ? data.scores.map((score) => score ?? below) : data.row.map((row) => -row);
    return { x, y, below };
  }

  // Q and N of a tree search take longer to find, and are asked for when they are to be seen.
  function fetchValues(data) {
    data.value = [];
    fetch(`/api/runs/${data.run}/lineage/values`).then((answer) => answer.ok ? answer.json() : Promise.reject(answer.status)).then((found) => {
      const places = new Map(found.designs.map((design, i) => [design, i]));
      const column = (values) => data.designs.map((design) => values[places.get(design)] ?? null);
      data.value = column(found.value);
      data.visits = column(found.visits);
      redraw();
    }).catch(() => { document.getElementById("lineage-found").textContent = "Q and N could not be read."; });
  }

  const HUES = { score: "scores", requests: "requests", value: "value", visits: "visits" };

  function drawing(data) {
    const { x, y, below } = columns(data);
    const seen = visible(data);
    const name = HUES[control("hue").value];
    if ((name === "value" || name === "visits") && !data.value) fetchValues(data);
    const hue = data[name]?.length ? data[name] : data.scores;
    const [low, high] = range(hue);
    const bins = Array.from({ length: STEPS }, () => []), rest = { open: [], failed: [] };
    data.designs.forEach((_, i) => {
      if (!seen[i]) return;
      const kind = kindOf(data.states[i]);
      if (hue[i] === null || (kind !== "scored" && kind !== "dropped")) (rest[kind] ?? rest.failed).push([x[i], y[i], i]);
      else bins[high > low ? Math.min(STEPS - 1, Math.floor(((hue[i] - low) / (high - low)) * STEPS)) : STEPS - 1].push([x[i], y[i], i]);
    });
    return { x, y, below, seen, bins, rest, low, high };
  }

  // All of them; where that would be a carpet those that lead to the best.
  function edges(data, made) {
    const children = data.designs.map((_, i) => i).filter((i) => made.seen[i]);
    made.isBest = children.length > LINKED;
    let drawn = children;
    if (made.isBest) {
      const line = new Set();
      const best = children.filter((i) => kindOf(data.states[i]) === "scored").sort((a, b) => data.scores[b] - data.scores[a]);
      best.slice(0, BEST).forEach((i) => { for (; i >= 0 && !line.has(i); i = data.parents[i]) line.add(i); });
      drawn = [...line];
    }
    return drawn.flatMap((i) => {
      const parent = data.parents[i];
      return parent >= 0 && made.seen[parent] && made.seen[i] ? [{ coords: [[made.x[parent], made.y[parent]], [made.x[i], made.y[i]]] }] : [];
    });
  }

  // The options of the chart

  function option(data, chart) {
    const made = drawing(data);
    if (!shown || shown.chart !== chart) chart.view.on("click", open).on("mouseover", hover).on("mouseout", () => path([]));
    shown = { data, chart, made };
    const isMany = data.designs.length > LARGE, size = isMany ? 5 : data.designs.length > 300 ? 8 : 12;
    const shades = ramp(), line = palimpsest.colour("dim");
    const points = (id, some, shade, more) => ({
      id, type: "scatter", data: some, symbolSize: size, large: isMany, largeThreshold: LARGE, itemStyle: { color: shade, opacity: isMany ? 0.85 : 1 }, cursor: "pointer", z: 3, ...more,
    });
    const links = edges(data, made);
    const best = data.designs.flatMap((_, i) => (made.seen[i] && data.states[i] === "best" ? [[made.x[i], made.y[i], i]] : []));
    count(made.seen.filter(Boolean).length, data.designs.length, made.isBest);
    legend(shades, made);
    return {
      animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily }, grid: { left: 62, right: 24, top: 18, bottom: 46 }, ...axes(data, made, chart),
      tooltip: { trigger: "item", confine: true, className: "tip", backgroundColor: palimpsest.colour("card"), borderColor: palimpsest.colour("line"), textStyle: { color: palimpsest.colour("ink"), fontSize: 12 }, formatter: tip },
      series: [
        { id: "links", type: "lines", coordinateSystem: "cartesian2d", silent: true, data: links, large: isMany, largeThreshold: LARGE, lineStyle: { color: line, width: 1, opacity: made.isBest ? 0.6 : isMany ? 0.15 : 0.35 }, z: made.isBest ? 4 : 1 },
        points("failed", made.rest.failed, palimpsest.colour("muted"), { symbol: "triangle" }),
        points("open", made.rest.open, palimpsest.colour("faint"), { symbol: "emptyCircle", markLine: level(data) }),
        ...made.bins.map((some, step) => points(`step${step}`, some, shades[step])),
        { id: "best", type: "scatter", data: best, symbolSize: size + 8, symbol: "circle", z: 4, itemStyle: { color: "transparent", borderColor: palimpsest.colour("second"), borderWidth: 2 }, cursor: "pointer" },
        { id: "found", type: "scatter", data: found(), symbolSize: size + 12, z: 6, silent: true, itemStyle: { color: "transparent", borderColor: palimpsest.colour("fourth"), borderWidth: 3 } },
        { id: "path", type: "lines", coordinateSystem: "cartesian2d", silent: true, data: [], z: 5, lineStyle: { color: palimpsest.colour("second"), width: 2, opacity: 0.9 } },
      ],
    };
  }

  function axes(data, made, chart) {
    const before = chart.view.getOption()?.dataZoom ?? [];
    const key = control("across").value + control("up").value;
    const stays = chart.axes === key;
    chart.axes = key;
    const isScore = control("up").value === "score";
    const style = { axisLine: { lineStyle: { color: palimpsest.colour("line") } }, axisTick: { show: false }, axisLabel: { color: palimpsest.colour("dim"), fontSize: 11, hideOverlap: true }, nameTextStyle: { color: palimpsest.colour("dim"), fontSize: 12 }, nameLocation: "middle" };
    const whole = (value) => (Number.isInteger(value) && value >= 0 ? value.toLocaleString("en") : "");
    const end = (side) => (range) => range[side] + (side === "max" ? 1 : -1) * Math.max(0.5, (range.max - range.min) * 0.02);
    const label = (value) => (value < made.below + 1e-9 ? "none" : value.toFixed(2));
    const zoom = (axis, i) => ({ type: "inside", [axis]: 0, filterMode: "none", ...(stays && before[i] ? { start: before[i].start, end: before[i].end } : {}) });
    return {
      xAxis: { type: "value", name: control("across").value === "generation" ? "generation" : "number, in the order of proposal", nameGap: 28, minInterval: 1, min: end("min"), max: end("max"), splitLine: { show: false }, ...style, axisLabel: { ...style.axisLabel, formatter: whole }, axisLine: { ...style.axisLine, onZero: false } },
      yAxis: { type: "value", name: isScore ? "score" : "", nameGap: 42, scale: true, min: isScore ? made.below - 0.015 : undefined, splitLine: { show: isScore, lineStyle: { color: palimpsest.colour("line") } }, ...style, axisLabel: { ...style.axisLabel, show: isScore, formatter: label }, axisLine: { show: false } },
      dataZoom: [zoom("xAxisIndex", 0), zoom("yAxisIndex", 1)],
    };
  }

  function level(data) {
    if (data.no_memory === null || control("up").value !== "score") return undefined;
    const label = { formatter: "no memory", position: "insideEndTop", color: palimpsest.colour("dim"), fontSize: 11 };
    return { silent: true, symbol: "none", animation: false, precision: 10, data: [{ yAxis: data.no_memory, label, lineStyle: { color: palimpsest.colour("dim"), type: "dashed", width: 1 } }] };
  }

  // Text goes in as text: states and ids come from the archive.
  function tip(at) {
    const { data } = shown, i = at.data[2];
    const box = document.createElement("div"), number = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
    const lines = [`#${data.numbers[i]}  ${data.designs[i].slice(0, 10)}  ${data.states[i]}`, `score ${number(data.scores[i], 3)}, ${number(data.tokens[i], 0)} tokens`, `asked for ${data.requests[i]} children`];
    if (data.visits) lines.push(`Q ${number(data.value[i], 2)}, N ${number(data.visits?.[i], 0)}`);
    box.textContent = lines.join("\n");
    return box;
  }

  // What a reader does

  function open(event) {
    if (event.seriesType !== "scatter") return;
    location.href = `/designs/${encodeURIComponent(shown.data.designs[event.data[2]])}?run=${shown.data.run}`;
  }

  function hover(event) {
    if (event.seriesType !== "scatter") return;
    const { data, made } = shown, links = [], at = event.data[2];
    const link = (parent, child) => links.push({ coords: [[made.x[parent], made.y[parent]], [made.x[child], made.y[child]]] });
    for (let i = at, steps = 0; data.parents[i] >= 0 && steps < data.designs.length; i = data.parents[i], steps++) link(data.parents[i], i);
    data.parents.forEach((parent, i) => { if (parent === at) link(at, i); });
    data.others.forEach(([child, parent]) => { if (child === at || parent === at) link(parent, child); });
    path(links);
  }

  function path(links) {
    shown?.chart.view.setOption({ series: [{ id: "path", data: links }] });
  }

  function wanted() {
    const text = control("find").value.trim().toLowerCase();
    if (!text || !shown) return [];
    const number = /^#?\d+$/.test(text) && !text.includes("-") ? Number(text.replace("#", "")) : -1;
    return shown.data.designs.flatMap((design, i) => (design.startsWith(text) || design.slice(2).startsWith(text) || shown.data.numbers[i] === number ? [i] : []));
  }

  function found() {
    return wanted().slice(0, 200).map((i) => [shown.made.x[i], shown.made.y[i]]);
  }

  function search(event) {
    if (!shown) return;
    const some = wanted();
    shown.chart.view.setOption({ series: [{ id: "found", data: found() }] });
    document.getElementById("lineage-found").textContent = control("find").value.trim() ? (some.length === 1 ? "found; Enter opens it" : `${some.length} found`) : "";
    if (event?.key === "Enter" && some.length) open({ seriesType: "scatter", data: [0, 0, some[0]] });
  }

  function count(some, all, isBest) {
    const number = (value) => value.toLocaleString("en");
    const designs = some === all ? `${number(all)} designs` : `${number(some)} of ${number(all)} designs`;
    document.getElementById("lineage-count").textContent = isBest ? `${designs}; lines lead to the best ${BEST}` : designs;
  }

  function legend(shades, made) {
    const box = document.getElementById("lineage-legend");
    const swatch = (shade) => { const each = document.createElement("i"); each.style.backgroundColor = shade; return each; };
    const digits = made.high - made.low > 20 ? 0 : 2;
    box.replaceChildren(made.low.toFixed(digits), ...shades.map(swatch), made.high.toFixed(digits));
  }

  function redraw() {
    if (shown) shown.chart.view.setOption(option(shown.data, shown.chart), { notMerge: true });
  }

  function reset() {
    shown?.chart.view.dispatchAction({ type: "dataZoom", batch: [0, 1].map((dataZoomIndex) => ({ dataZoomIndex, start: 0, end: 100 })) });
  }

  palimpsest.kinds.lineage = option;

  document.addEventListener("DOMContentLoaded", () => {
    const controls = document.getElementById("lineage-controls");
    if (!controls) return;
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.addEventListener("change", redraw);
    control("least").addEventListener("input", redraw);
    control("find").addEventListener("input", search);
    control("find").addEventListener("keydown", (event) => { if (event.key === "Enter") search(event); });
    document.getElementById("lineage-whole").addEventListener("click", reset);
    controls.hidden = false;
  });
})();
