// A model's colour and marker, the same in every figure of the page and in the static ones. Colours are the page's, so
// that they suit a light and a dark screen; the marker tells models apart where colours cannot.
"use strict";
(function (page) {
  const MARKERS = ["circle", "square", "triangle", "diamond", "down", "plus", "cross", "pentagon"];
  const COLOURS = 7;

  page.place = (label) => Math.max(0, Object.values(page.data.places).length && (page.own(page.data.places, label) ?? 0));
  page.markerAt = (place) => MARKERS[place % MARKERS.length];
  page.variableAt = (place) => `--model-${place % COLOURS}`;
  page.marker = (label) => page.markerAt(page.place(label));
  page.variable = (label) => page.variableAt(page.place(label));

  // A colour of the style sheet as it is now, by day or by night.
  page.colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The corners of a marker around (0, 0), of about radius 1; null for a circle.
  const regular = (corners, turn) =>
    Array.from({ length: corners }, (_, at) => {
      const angle = turn + (2 * Math.PI * at) / corners;
      return [1.15 * Math.sin(angle), -1.15 * Math.cos(angle)];
    });
  const plus = [[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1],
    [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]];
  const turned = plus.map(([x, y]) => [(x - y) * 0.75, (x + y) * 0.75]);
  const star = Array.from({ length: 10 }, (_, at) => {
    const size = at % 2 ? 0.75 : 1.8;
    return [size * Math.sin((Math.PI * at) / 5), -size * Math.cos((Math.PI * at) / 5)];
  });
  const SHAPES = {
    circle: null, square: regular(4, Math.PI / 4), triangle: regular(3, 0), diamond: regular(4, 0),
    down: regular(3, Math.PI), plus, cross: turned, pentagon: regular(5, 0), star,
  };

  // Trace a marker on a canvas; the caller fills or strokes it.
  page.trace = function (context, shape, x, y, radius) {
    context.beginPath();
    if (!SHAPES[shape]) context.arc(x, y, radius, 0, 2 * Math.PI);
    else SHAPES[shape].forEach(([dx, dy], at) => context[at ? "lineTo" : "moveTo"](x + radius * dx, y + radius * dy));
    context.closePath();
  };

  // The same as the path of an SVG.
  page.path = function (shape, x, y, radius) {
    const at = (value) => value.toFixed(2);
    if (!SHAPES[shape]) return `M${at(x - radius)} ${at(y)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0Z`;
    return SHAPES[shape].map(([dx, dy], n) => `${n ? "L" : "M"}${at(x + radius * dx)} ${at(y + radius * dy)}`).join("") + "Z";
  };

  // The sign of a model beside its name, or that of a place.
  page.Sign = function ({ label, at }) {
    const { html } = window.htmPreact, place = at ?? page.place(label);
    return html`<svg class="sign" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
      <path d=${page.path(page.markerAt(place), 7, 7, 4.5)} style=${`fill:var(${page.variableAt(place)})`} /></svg>`;
  };

  page.night = window.matchMedia("(prefers-color-scheme: dark)");
})((window.isobudgetPage = window.isobudgetPage || {}));
