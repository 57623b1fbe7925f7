"use strict";
// Brings the page up to date and draws its plots. Without it the page is complete.
(() => {
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  let plots = [];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // short is a figure in few characters, as everywhere on the page.
  function short(v) {
    if (v === null || v === undefined) return "";
    for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(v) >= size) return +(v / size).toFixed(1) + unit;
    }
    return String(+v.toFixed(2));
  }

  // before is a time in seconds before now.
  function before(v) {
    if (v === 0) return "now";
    return v % 60 ? v + " s" : v / 60 + " min";
  }

  function draw() {
    plots.forEach((p) => p.destroy());
    plots = [];
    document.body.classList.add("drawn");
    for (const at of live.querySelectorAll(".plot")) {
      const data = JSON.parse(at.dataset.series);
      const names = JSON.parse(at.dataset.names);
      const axis = { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
      const colors = [color("--in"), color("--out")];
      plots.push(new uPlot({
        width: at.clientWidth,
        height: 180,
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: false }, y: { range: (u, min, max) => [0, max > 0 ? max * 1.1 : 1] } },
        axes: [{ ...axis, incrs: [1, 10, 60], values: (u, list) => list.map(before) }, { ...axis, size: 56, values: (u, list) => list.map(short) }],
        series: [{ label: "time", value: (u, v) => (v === null ? "" : before(v)) }, ...names.map((label, i) => ({ label, stroke: colors[i], width: 1.5, dash: i ? [5, 3] : undefined, value: (u, v) => short(v) }))],
      }, data, at));
    }
  }

  // show puts the new state in place, unless somebody is selecting text, and leaves
  // what was scrolled where it was.
  function show(html) {
    if (!getSelection().isCollapsed) return;
    const tops = [...live.querySelectorAll(".scroll")].map((e) => e.scrollTop);
    live.innerHTML = html;
    live.querySelectorAll(".scroll").forEach((e, i) => { e.scrollTop = tops[i] || 0; });
    draw();
  }

  function follow() {
    const source = new EventSource("events");
    source.onmessage = (e) => { stale.hidden = true; show(JSON.parse(e.data)); };
    source.onerror = () => {
      stale.hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(follow, 10000);
    };
  }

  addEventListener("resize", draw);
  draw();
  follow();
})();
