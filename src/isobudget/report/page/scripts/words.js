// How numbers and texts are written on the page: the rules of grid.py, so that the page, the terminal and report.json
// read alike. Python rounds a tie to the even digit, JavaScript upwards; the two helpers at the top follow Python.
"use strict";
(function (page) {
  // A number with so many digits after the point.
  function fixed(value, digits) {
    return evened(value, value.toFixed(digits), value.toFixed(Math.min(digits + 30, 100)));
  }

  // A number with so many significant digits, without trailing zeros.
  function significant(value, digits) {
    const text = evened(value, value.toPrecision(digits), value.toPrecision(digits + 30));
    return String(Number(text));
  }

  // The rounded text, or the one below if the exact value lies in the middle and that one ends in an even digit.
  function evened(value, rounded, exact) {
    const known = digitsOf(rounded).length;
    const rest = digitsOf(exact).slice(known);
    if (!/^50*$/.test(rest)) return rounded;
    const lower = exact.slice(0, exact.length - rest.length);
    return Number(lower[lower.length - 1]) % 2 === 0 ? lower : rounded;
  }

  function digitsOf(text) {
    return text.replace(/e.*$/, "").replace(/[-.]/g, "");
  }

  function grouped(value) {
    return fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, ",");
  }

  // Three significant digits, with a power of ten beyond the everyday range; "-" for what is not known.
  function amount(value) {
    if (value === null || Number.isNaN(value)) return "-";
    if (value !== 0 && (Math.abs(value) < 0.01 || Math.abs(value) >= 100000)) {
      return value.toExponential(2).replace("e+", "e");
    }
    return Math.abs(value) < 999.5 ? significant(value, 3) : grouped(value);
  }

  const PREFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"]];
  const UNITS = { seconds: "s", device_seconds: "device s", joules: "J" };

  // An amount with its unit: "13.5 Tflops", "0.395 s", "$0.0018".
  function withUnit(value, unit) {
    if (value === null || Number.isNaN(value)) return "-";
    if (unit === "usd") return "$" + dollars(value);
    if (unit === "flops") {
      const [scale, prefix] = PREFIXES.find(([size]) => value >= size) || [1, ""];
      return `${amount(value / scale)} ${prefix}flops`;
    }
    return `${amount(value)} ${UNITS[unit] || unit}`;
  }

  // Three significant digits in plain decimals below 100, whole dollars above; an exponent below a billionth.
  function dollars(value) {
    if (value >= 100) return grouped(value);
    if (value === 0) return "0";
    if (value < 1e-9) return String(Number(value.toPrecision(3)));
    const rounded = Number(value.toPrecision(3));
    const places = Math.max(0, 2 - Math.floor(Math.log10(rounded)));
    const text = rounded.toFixed(places);
    return places ? text.replace(/\.?0+$/, "") : text;
  }

  function percent(share, digits = 1) {
    return share === null || Number.isNaN(share) ? "-" : fixed(100 * share, digits);
  }

  // "33.2–48.1", empty where there is no interval.
  function interval(low, high) {
    return low === null || Number.isNaN(low) ? "" : `${percent(low)}–${percent(high)}`;
  }

  // A difference in percentage points with its sign.
  function points(share) {
    const text = fixed(100 * share, 1);
    return share >= 0 ? `+${text}` : text.replace("-", "−");
  }

  function counted(number, thing) {
    return `${grouped(number)} ${thing}${number === 1 ? "" : "s"}`;
  }

  // A text of others with control characters, and those that turn the direction of writing, made visible.
  function printable(text) {
    return String(text).replace(/[^\P{C}\n\t]|[\u2028\u2029]/gu, "\ufffd");
  }

  Object.assign(page, { amount, counted, dollars, fixed, grouped, interval, percent, points, printable, significant, withUnit });
})((window.isobudgetPage = window.isobudgetPage || {}));
