// Theme, charts, keys and local times of all pages. What it cannot do still is a page: nothing here is needed to read.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (kept) root.dataset.theme = kept;

  const palimpsest = (window.palimpsest = { kinds: {}, colour, format, redraw: () => charts.forEach(draw) });

  function colour(name) {
    return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a browser that keeps nothing */ }
    palimpsest.redraw();
  }

  // Charts: an element with data-chart is filled from that address, which gives `archive.dashboard.charts.Chart`.

  const charts = new Map();
  let library = null;

  function echartsLoaded() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/static/echarts.min.js";
      script.onload = () => resolve(window.echarts);
      script.onerror = reject;
      document.head.append(script);
    });
    return library;
  }

  async function load(element) {
    const address = element.dataset.chart;
    if (!charts.has(element)) element.dataset.empty = "Loading \u2026";
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    live.cost += cost(answer);
    if (!answer.ok) {
      element.dataset.empty = "This chart could not be read.";
      return;
    }
    const data = await answer.json();
    if (element.dataset.chart !== address) return;
    const echarts = await echartsLoaded();
    let chart = charts.get(element);
    if (!chart) {
      chart = { element, view: echarts.init(element, null, { renderer: "canvas" }) };
      chart.view.on("click", (event) => follow(chart, event));
      new ResizeObserver(() => chart.view.resize()).observe(element);
      charts.set(element, chart);
    }
    chart.data = data;
    draw(chart);
  }

  function draw(chart) {
    const { data, element, view } = chart;
    if (data.empty) element.dataset.empty = data.empty; else delete element.dataset.empty;
    element.setAttribute("aria-label", [data.title, data.note].filter(Boolean).join(". "));
    const make = palimpsest.kinds[data.kind] ?? option;
    if (data.empty) view.clear(); else view.setOption(make(data, chart), { notMerge: true });
    element.dataset.drawn = String(Number(element.dataset.drawn ?? 0) + 1);
  }

  function follow(chart, event) {
    const series = chart.data.series?.[event.seriesIndex];
    const label = series?.labels?.[event.dataIndex];
    if (series?.link && label) location.href = series.link.replaceAll("{label}", encodeURIComponent(label));
  }

  function format(value, axis) {
    if (value === null || value === undefined) return "–";
    if (axis.kind === "time") {
      if (value < 120) return `${Math.round(value)} s`;
      return value < 7200 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
    }
    return value.toLocaleString("en", { minimumFractionDigits: axis.digits, maximumFractionDigits: Math.max(axis.digits, 0) });
  }

  function axisOption(axis, more) {
    const line = { lineStyle: { color: colour("line") } };
    return {
      name: axis.kind === "category" ? "" : axis.name, nameLocation: "middle", nameGap: more.gap, nameTextStyle: { color: colour("dim"), fontSize: 12 },
      type: axis.kind === "category" ? "category" : axis.kind === "log" ? "log" : "value",
      data: axis.kind === "category" ? axis.categories : undefined,
      inverse: axis.kind === "category" && more.isY, scale: !more.isBar, max: axis.kind === "percent" ? 100 : undefined, min: axis.kind === "percent" ? 0 : undefined, axisLine: { ...line, show: !more.isY }, axisTick: { show: false },
      splitLine: { ...line, show: axis.kind !== "category" && more.isY }, splitNumber: 5,
      minInterval: axis.kind === "value" && !axis.digits ? 1 : undefined,
      axisLabel: { color: colour("dim"), fontSize: 11, hideOverlap: true, formatter: axis.kind === "category" ? undefined : (value) => format(value, axis) },
    };
  }

  function option(data, { element }) {
    const isBar = data.series.some((each) => each.kind === "bars");
    const isNarrow = element.clientWidth < 480;
    const series = data.series.flatMap((each) => seriesOption(each, data));
    if (series.length && data.levels.length) series[0].markLine = levels(data, isNarrow);
    const names = data.series.length > 1 ? data.series.map((each) => each.name) : [];
    return {
      animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: isBar ? 12 : 58, right: data.levels.length && !isNarrow ? 96 : isBar ? 64 : 22, top: names.length ? 34 : 14, bottom: 48, containLabel: isBar },
      legend: { type: "scroll", show: names.length > 0, data: names, top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4, textStyle: { color: colour("dim"), fontSize: 12 } },
      xAxis: axisOption(data.x, { gap: 28, isBar }), yAxis: axisOption(data.y, { gap: 44, isY: true, isBar }), series,
      tooltip: {
        trigger: "item", confine: true, renderMode: "html", className: "tip", backgroundColor: colour("card"), borderColor: colour("line"),
        textStyle: { color: colour("ink"), fontSize: 12 }, formatter: (at) => tip(at, data),
      },
    };
  }

  function seriesOption(each, data) {
    const shade = colour(each.colour);
    if (each.kind === "bars") {
      return [{ name: each.name, type: "bar", data: each.points.map((point) => point[0]), itemStyle: { color: shade, borderRadius: 2 }, barMaxWidth: 22,
        label: { show: true, position: "right", color: colour("dim"), formatter: (at) => format(at.value, data.x) } }];
    }
    if (each.kind === "points") {
      const many = each.points.length > 2000;
      return [{ name: each.name, type: "scatter", data: each.points.map((point) => point.slice(0, 2)), symbolSize: many ? 3 : each.colour === "muted" ? 6 : 10,
        itemStyle: { color: shade, opacity: each.colour !== "muted" ? 1 : many ? 0.45 : 0.75 }, large: many, z: each.colour === "muted" ? 2 : 4, cursor: each.link ? "pointer" : "default" }];
    }
    const step = each.kind === "step" ? "end" : undefined;
    const made = [{ name: each.name, type: "line", step, symbol: "none", data: each.points.map((point) => point.slice(0, 2)), lineStyle: { color: shade, width: 2 }, itemStyle: { color: shade }, z: 5 }];
    return each.band ? [...made, band(each, shade)] : made;
  }

  // The area between low and high, drawn as one polygon; a step keeps its value until the next point.
  function band(each, shade) {
    const ends = each.points.filter((point) => point[2] !== null && point[2] !== undefined);
    const upper = [], lower = [];
    ends.forEach(([x, , low, high], i) => {
      if (each.kind === "step" && i) { upper.push([x, ends[i - 1][3]]); lower.push([x, ends[i - 1][2]]); }
      upper.push([x, high]); lower.push([x, low]);
    });
    const outline = [...upper, ...lower.reverse()];
    return { name: each.name, type: "custom", silent: true, z: 1, data: ends.length ? [[ends[0][0], ends[0][2]], [ends.at(-1)[0], ends.at(-1)[3]], ...ends.map((p) => [p[0], p[2]]), ...ends.map((p) => [p[0], p[3]])] : [],
      encode: { x: 0, y: 1 },
      renderItem: (params, api) => params.dataIndex ? null : ({ type: "polygon", shape: { points: outline.map((point) => api.coord(point)) }, style: { fill: shade, opacity: 0.16 } }) };
  }

  // Levels that lie so close together that their names would cover each other share one label.
  function levels(data, isNarrow) {
    const values = data.series.flatMap((each) => each.points.map((point) => point[1]));
    const close = (Math.max(...data.levels.map((each) => each.value), values.reduce((a, b) => Math.max(a, b), 0))) * 0.04;
    const labels = [];
    [...data.levels].sort((a, b) => a.value - b.value).forEach((each) => {
      const last = labels.at(-1);
      if (last && each.value - last.value < close) last.names.push(each.name); else labels.push({ value: each.value, names: [each.name] });
    });
    const line = (each) => {
      const names = labels.find((label) => label.names[0] === each.name)?.names;
      const label = { show: Boolean(names), formatter: names?.join(", "), color: colour("dim"), fontSize: 11, position: isNarrow ? "insideEndTop" : "end", width: 90, overflow: "break", lineHeight: 13 };
      return { yAxis: each.value, lineStyle: { color: colour("dim"), type: "dashed", width: 1 }, label };
    };
    return { silent: true, symbol: "none", data: data.levels.map(line) };
  }

  // Text goes in as text: names come from designs.
  function tip(at, data) {
    const series = data.series[at.seriesIndex];
    const box = document.createElement("div");
    const point = series?.points[at.dataIndex] ?? [];
    const lines = [series?.labels?.[at.dataIndex]?.slice(0, 10) ?? at.seriesName];
    if (series?.kind === "bars") lines.push(format(point[0], data.x));
    else {
      const ends = point.length > 3 && point[2] !== null ? ` [${format(point[2], data.y)}, ${format(point[3], data.y)}]` : "";
      lines.push(`${data.y.name} ${format(point[1], data.y)}${ends}`, `${data.x.name} ${format(point[0], data.x)}`);
    }
    box.textContent = lines.join("\n");
    return box;
  }

  function scan(within) {
    within.querySelectorAll?.("[data-chart]").forEach((element) => {
      if (!charts.has(element)) load(element).catch(() => { element.dataset.empty = "This chart could not be read."; });
    });
    within.querySelectorAll?.("time[datetime]").forEach((element) => {
      const moment = new Date(element.dateTime);
      if (!element.title && !Number.isNaN(moment.valueOf())) {
        element.title = element.dateTime;
        element.textContent = element.classList.contains("clock") ? moment.toLocaleTimeString("en-GB") : moment.toLocaleString("sv-SE").slice(0, 16);
      }
    });
  }

  // A chart's choices (by what, say) are links: they change the address of the chart and of the page, and load nothing else.
  function choose(event) {
    const link = event.target.closest("[data-for]");
    const element = link && document.getElementById(link.dataset.for);
    if (!element || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.parentElement.querySelectorAll("a").forEach((each) => each.toggleAttribute("aria-current", each === link));
    element.dataset.chart = link.dataset.address;
    history.replaceState(history.state, "", link.href);
    document.querySelectorAll("[data-refreshed]").forEach((each) => each.setAttribute("hx-get", location.pathname + location.search));
    load(element);
  }

  // Live pages: `changed` comes with every commit. What is shown is read anew at once if that was cheap the last time;
  // else so much later that a page that is left open takes a few per cent of a core at most, and no run is slowed by it.
  // The server says what an answer cost it, in milliseconds.

  const FASTEST = 1000, REST = 25;
  const live = { pending: 0, cost: 0, isBusy: false, next: 0, timer: 0, isStale: false };

  function changed() {
    live.isStale = true;
    if (!live.timer && !live.isBusy) live.timer = setTimeout(refresh, Math.max(0, live.next - performance.now()));
  }

  async function refresh() {
    Object.assign(live, { timer: 0, isStale: false, isBusy: true, cost: 0 });
    charts.forEach((chart, element) => {
      if (!element.isConnected) { chart.view.dispose(); charts.delete(element); }
    });
    document.body.dispatchEvent(new CustomEvent("refresh"));
    await Promise.allSettled([...charts.keys()].map(load));
    for (let waited = 0; waited < 300 && (live.pending > 0 || waited < 1); waited++) await new Promise((done) => setTimeout(done, 100));
    Object.assign(live, { pending: 0, isBusy: false, next: performance.now() + Math.max(FASTEST, REST * live.cost) });
    if (live.isStale) changed();
  }

  function count(event, by) {
    const { sourceElement, response } = event.detail.ctx ?? {};
    if (!sourceElement?.hasAttribute("data-refreshed")) return;
    live.pending = Math.max(0, live.pending + by);
    if (by < 0) live.cost += cost(response?.raw);
  }

  function cost(answer) {
    return Number(/cpu;dur=([\d.]+)/.exec(answer?.headers.get("Server-Timing") ?? "")?.[1] ?? 0);
  }

  // Keys

  let before = "";
  function key(event) {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "Escape") event.target.blur?.();
      return;
    }
    const chord = before + event.key;
    before = event.key === "g" && !before ? "g" : "";
    const places = { gr: "/", gc: "/compare", gi: "/insights", gl: "/calls" };
    if (places[chord]) location.href = places[chord];
    else if (event.key === "t") switchTheme();
    else if (event.key === "/") {
      const toggle = document.querySelector(".filtering");
      const field = document.querySelector("input[type=search]") ?? toggle?.closest(".listing").querySelector(".filters input");
      if (!field) return;
      event.preventDefault();
      if (toggle && field.closest(".filters")) toggle.checked = true;
      field.focus();
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("tbody a")];
      const at = rows.indexOf(document.activeElement);
      rows[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), rows.length - 1)]?.focus();
    }
  }

  function connected(text, lost) {
    const element = document.getElementById("live");
    if (!element) return;
    element.hidden = false;
    element.textContent = text;
    element.classList.toggle("lost", lost);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", switchTheme);
    document.addEventListener("keydown", key);
    document.addEventListener("click", choose);
    document.addEventListener("changed", changed);
    document.addEventListener("htmx:before:request", (event) => count(event, 1));
    document.addEventListener("htmx:finally:request", (event) => count(event, -1));
    let connections = 0;
    document.addEventListener("htmx:sse:after:connection", () => {
      connected("live", false);
      if (connections++) changed(); // what was committed meanwhile was not told
    });
    document.addEventListener("htmx:sse:error", () => connected("not connected", true));
    document.addEventListener("htmx:sse:close", () => connected("not connected", true));
    document.addEventListener("htmx:config:request", (event) => {
      const { body, method } = event.detail.ctx.request;
      if (method === "GET" && body?.delete) [...body.entries()].forEach(([name, value]) => { if (value === "") body.delete(name); });
    });
    document.addEventListener("htmx:after:swap", () => scan(document));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", palimpsest.redraw);
    scan(document);
  });
})();
