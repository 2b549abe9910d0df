// Details of the buffer, skip or row that is pointed at, and its like in the other pictures. Without this script the page shows
// the same, and the tables have the details.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  const map = document.querySelector(".map");
  const buffers = [...document.querySelectorAll(".map .buffer")];
  const numbered = [...document.querySelectorAll("[data-buffer]")];
  let picked = null;

  function stepName(number) {
    const step = document.getElementById("step" + number);
    return step ? `${step.querySelector(".name").textContent} (step ${number})` : "the network's input";
  }

  function row(list, name, value) {
    const term = document.createElement("dt");
    const words = document.createElement("dd");
    term.textContent = name;
    words.textContent = value;
    list.append(term, words);
  }

  function pick(element) {
    if (element === picked) return;
    for (const other of numbered) other.classList.remove("picked");
    picked = element;
    map.classList.toggle("picking", element !== null);
    tip.hidden = element === null;
    if (element === null) return;
    const { buffer, from, to } = element.dataset;
    for (const other of numbered) {
      // An arc stands for itself; all else for its buffer.
      const isOther = other.dataset.buffer !== buffer || (to !== undefined && other.dataset.to !== undefined && other !== element);
      if (!isOther) other.classList.add("picked");
    }
    const list = buffers[buffer].querySelector("dl").cloneNode(true);
    if (to !== undefined) row(list, "skip", `from ${stepName(from)} to ${stepName(to)}`);
    tip.replaceChildren(list);
  }

  function show(x, y) {
    const gap = 14;
    const { width, height } = tip.getBoundingClientRect();
    const left = x + gap + width < innerWidth ? x + gap : Math.max(4, x - gap - width);
    const top = y + gap + height < innerHeight ? y + gap : Math.max(4, y - gap - height);
    tip.style.left = left + "px";
    tip.style.top = top + "px";
  }

  function target(event) {
    return event.target instanceof Element ? event.target.closest("[data-buffer]") : null;
  }

  document.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    pick(target(event));
    if (picked) show(event.clientX, event.clientY);
  });
  document.addEventListener("click", (event) => {
    pick(target(event));
    if (picked) show(event.clientX, event.clientY);
  });

  // One buffer is in the order of the tabulator; arrows go from there to its neighbours.
  map.addEventListener("focusin", (event) => {
    const element = target(event);
    pick(element);
    if (!element) return;
    const { left, bottom } = element.getBoundingClientRect();
    show(left, Math.min(bottom, innerHeight / 2));
  });
  map.addEventListener("focusout", () => pick(null));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") pick(null);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const at = buffers.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = buffers[(at + step + buffers.length) % buffers.length];
    buffers[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  });
})();
