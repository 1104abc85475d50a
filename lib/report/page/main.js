// Starts a report's page: a chart per panel, and the controls above them. Must not ask any network.

import { Chart } from "./chart.js";

function start() {
  const { panels, runs, alarms } = JSON.parse(document.getElementById("report-data").textContent);
  const charts = panels.map((panel, i) => {
    const place = document.getElementById(`panel-${i}`);
    const element = place.querySelector(".chart");
    return new Chart({ element, readout: place.querySelector(".readout"), panel, runs, alarms });
  });
  const controls = document.getElementById("controls");
  const drawAll = () => {
    const view = viewOf(controls);
    for (const chart of charts) chart.draw(view);
  };
  controls.addEventListener("input", drawAll);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  drawAll();
  redrawOnColours(charts);
}

function viewOf(controls) {
  const { axis, smoothing, logarithmic } = controls.elements;
  const hidden = [...controls.querySelectorAll("input[name=run]")].filter((box) => !box.checked);
  const weight = Number(smoothing.value) / 100;
  controls.querySelector("output").textContent = weight === 0 ? "off" : weight.toFixed(2);
  return {
    axis: axis?.value === "tokens" ? "tokens" : "steps",
    smoothing: weight,
    logarithmic: logarithmic.checked,
    hidden: new Set(hidden.map((box) => Number(box.value))),
  };
}

/** Canvases don't follow the colours of the page by themselves; paper is always light. */
function redrawOnColours(charts) {
  const redraw = () => {
    for (const chart of charts) chart.redraw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const paper = (on) => () => {
    document.documentElement.classList.toggle("paper", on);
    redraw();
  };
  addEventListener("beforeprint", paper(true));
  addEventListener("afterprint", paper(false));
}

start();
