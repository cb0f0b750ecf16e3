// Scene pages: a divider between two pictures, one crop of all pictures, a sample at a time; and the gallery's filter.
// Without this script everything is on the page, one below the other. No picture is ever read here: only shown.
"use strict";

(() => {
  const scene = document.querySelector(".scene");
  const all = (selector, within = scene) => [...within.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  if (scene.matches(".gallery")) return all(".shelf").forEach(filterable);

  const compare = scene.querySelector(".compare");
  const stage = compare.querySelector(".stage");
  const divider = compare.querySelector(".divider");
  const select = { left: compare.querySelector("select.left"), right: compare.querySelector("select.right") };
  const loupe = scene.querySelector(".loupe");
  const finder = loupe.querySelector(".finder");
  const crop = loupe.querySelector(".crop");
  const sections = all("section.sample");
  const view = { at: 50, left: null, right: null, zoom: 0, x: 0.5, y: 0.5 }; // x, y: middle of the crop, as shares of the picture
  let section = null;

  const figures = () => all("figure[data-key]", section);
  const figure = (key) => figures().find((f) => f.dataset.key === key);
  const size = (img) => [Number(img.getAttribute("width")), Number(img.getAttribute("height"))];

  // --- samples -------------------------------------------------------------------------------------------------------

  function show(chosen) {
    section = chosen;
    sections.forEach((s) => (s.hidden = s !== section));
    all(".samples a").forEach((link) => {
      if (link.hash.slice(1) === section.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    const some = figures().length > 0;
    compare.hidden = loupe.hidden = !some;
    if (!some) return;
    section.querySelector(".slot-compare").append(compare);
    section.querySelector(".slot-loupe").append(loupe);
    fill();
    place();
  }

  const named = () => sections.find((s) => s.id === location.hash.slice(1));

  function go(chosen) {
    if (!chosen || chosen === section) return;
    const focused = document.activeElement;
    history.replaceState(null, "", "#" + chosen.id);
    show(chosen);
    if (scene.contains(focused) && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  // --- before and after ----------------------------------------------------------------------------------------------

  function fill() {
    const there = figures();
    const first = (kind) => there.find((f) => f.dataset.key.startsWith(kind));
    const start = {
      left: (first("input") || there[0]).dataset.key,
      right: (first("output") || first("target") || there[there.length - 1]).dataset.key,
    };
    for (const side of ["left", "right"]) {
      const groups = { "": document.createDocumentFragment(), errors: document.createElement("optgroup") };
      groups.errors.label = "error maps";
      for (const f of there) groups[f.dataset.group || ""].append(new Option(f.dataset.label, f.dataset.key));
      select[side].replaceChildren(groups[""], ...(groups.errors.children.length ? [groups.errors] : []));
      select[side].value = figure(view[side]) ? view[side] : start[side];
    }
    draw();
  }

  function draw() {
    for (const [side, layer] of [["left", "over"], ["right", "under"]]) {
      const from = figure(select[side].value).querySelector("img");
      const img = stage.querySelector("." + layer);
      img.src = from.src;
      img.alt = from.alt;
      stage.querySelector(".tag." + side).textContent = select[side].selectedOptions[0].text;
    }
    const [width, height] = size(figure(select.left.value).querySelector("img"));
    scene.style.setProperty("--shape", width / height);
    scene.style.setProperty("--width", width);
    move(view.at);
  }

  function move(at) {
    view.at = clamp(at, 0, 100);
    stage.style.setProperty("--at", view.at + "%");
    const shown = Math.round(view.at);
    divider.setAttribute("aria-valuenow", shown);
    const [left, right] = [select.left, select.right].map((side) => side.selectedOptions[0].text);
    divider.setAttribute("aria-valuetext", `${shown} % ${left}, the rest ${right}`);
  }

  function follow(event) {
    const box = stage.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 100);
  }

  dragged(stage, (event) => (follow(event), divider.focus({ preventScroll: true })), follow);

  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const places = { PageDown: view.at - 10, PageUp: view.at + 10, Home: 0, End: 100 };
    const [dx, dy] = STEPS[event.key] || [0, 0];
    if (!STEPS[event.key] && !(event.key in places)) return;
    event.preventDefault();
    move(event.key in places ? places[event.key] : view.at + (dx - dy) * step);
  });

  for (const side of ["left", "right"]) select[side].addEventListener("change", () => ((view[side] = select[side].value), draw()));
  compare.querySelector(".swap").addEventListener("click", () => {
    [select.left.value, select.right.value] = [select.right.value, select.left.value];
    [view.left, view.right] = [select.left.value, select.right.value];
    draw();
  });

  // --- one crop of all pictures --------------------------------------------------------------------------------------

  // How a picture of width x height pixels lies in its pane: pixels of the page a pixel, and the shares of it that are seen.
  function framing(pane) {
    const [width, height] = size(figures()[0].querySelector("img"));
    const seen = [pane.clientWidth / view.zoom / width, pane.clientHeight / view.zoom / height];
    return { width, height, seen };
  }

  function place() {
    const panes = all(".pane", section);
    finder.hidden = !view.zoom;
    scene.classList.toggle("zoomed", view.zoom > 0);
    if (!view.zoom) return panes.forEach((pane) => pane.firstElementChild.removeAttribute("style"));
    const { width, height, seen } = framing(panes[0]);
    view.x = clamp(view.x, seen[0] / 2, 1 - seen[0] / 2);
    view.y = clamp(view.y, seen[1] / 2, 1 - seen[1] / 2);
    const left = seen[0] < 1 ? Math.round((view.x - seen[0] / 2) * width) : 0;
    const top = seen[1] < 1 ? Math.round((view.y - seen[1] / 2) * height) : 0;
    const px = (pixels) => `${pixels * view.zoom}px`;
    for (const pane of panes) {
      const moved = `translate(${px(-left)}, ${px(-top)})`;
      pane.firstElementChild.style.cssText = `width: ${px(width)}; height: ${px(height)}; transform: ${moved}`;
    }
    const over = (figure("target") || figures()[0]).querySelector("img");
    finder.firstElementChild.src = over.src;
    const percent = (share) => `${100 * Math.min(1, share)}%`;
    const box = { left: left / width, top: top / height, width: seen[0], height: seen[1] };
    for (const [side, share] of Object.entries(box)) crop.style[side] = percent(share);
  }

  function zoom(to) {
    view.zoom = to;
    loupe.querySelector(`input[value="${to}"]`).checked = true;
    place();
  }

  function centre(x, y) {
    [view.x, view.y] = [x, y];
    place();
  }

  loupe.addEventListener("change", (event) => zoom(Number(event.target.value)));

  const aim = (event) => {
    const box = finder.getBoundingClientRect();
    centre((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  dragged(finder, (event) => (aim(event), crop.focus({ preventScroll: true })), aim);

  crop.addEventListener("keydown", (event) => {
    const [dx, dy] = STEPS[event.key] || [];
    if (dx === undefined) return;
    event.preventDefault();
    const { seen } = framing(section.querySelector(".pane"));
    const share = event.shiftKey ? 0.5 : 0.1;
    centre(view.x + dx * share * seen[0], view.y + dy * share * seen[1]);
  });

  for (const pane of all(".pane")) {
    let last = null;
    const begin = (event) => (last = event);
    const pull = (event) => {
      if (!view.zoom) return;
      const { width, height } = framing(pane);
      const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
      centre(view.x - dx / view.zoom / width, view.y - dy / view.zoom / height);
      last = event;
    };
    dragged(pane, begin, pull);
    pane.addEventListener("click", (event) => {
      if (view.zoom) return;
      const box = pane.getBoundingClientRect();
      [view.x, view.y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      zoom(2);
    });
  }

  // --- shared --------------------------------------------------------------------------------------------------------

  // Pointer, pen or finger: `begin` when it goes down, `each` as it moves. Vertical swipes still scroll the page.
  function dragged(element, begin, each) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      begin(event);
    });
    element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && each(event));
  }

  function filterable(shelf) {
    const method = shelf.querySelector("select.method");
    const kind = shelf.querySelector("select.kind");
    const cards = all(".cards > li", shelf);
    const suits = (label, kinds) => (!method.value || label === method.value) && (!kind.value || kinds.includes(kind.value));
    const fits = (chosen) => (!method.value && !kind.value) || Object.entries(chosen).some((entry) => suits(...entry));
    const apply = () => {
      cards.forEach((card) => (card.hidden = !fits(JSON.parse(card.dataset.chosen))));
      const shown = cards.filter((card) => !card.hidden).length;
      shelf.querySelector(".count").textContent = `${shown} of ${cards.length} scenes`;
    };
    shelf.querySelector(".filter").hidden = false;
    shelf.addEventListener("change", apply);
    apply();
  }

  scene.classList.add("live");
  scene.querySelector(".samples").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    go(sections.find((s) => s.id === link.hash.slice(1)));
  });
  addEventListener("hashchange", () => go(named()));
  addEventListener("resize", place);
  addEventListener("keydown", (event) => {
    const step = { "[": -1, "]": 1 }[event.key];
    if (step && !event.target.closest("select, input[type=text]")) go(sections[sections.indexOf(section) + step]);
  });
  show(named() || sections[0]);
})();
