// One photo, closely: before and after under a slider or side by side, zoomed and moved at full
// size, what changed, and its faces. Left and right arrows go from photo to photo.
const dialog = element.querySelector("dialog");
const make = (tag, className = "", attributes = {}) => {
  const node = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const button = (word, act, sign) => {
  const names = sign ? { "data-label": word } : { "data-word": word };
  const node = make("button", sign ? "pe-small pe-sign" : "pe-small", { type: "button", ...names });
  if (sign) node.textContent = sign;
  node.onclick = act;
  return node;
};
const bar = (...parts) => { const node = make("div", "pe-tools"); node.append(...parts); return node; };

// State: which photo, how it is looked at, and where.
let asked = 0, photo = null, shown = null, mode = "slider", split = 0.5, opener = null;
let zoom = 1, left = 0, top = 0, fitted = true;
let blending = false, blendAgain = false, mapAsked = false;

// Parts.
const title = make("h2"), close = button("close", () => dialog.close());
const previous = button("previous", () => go(-1), "‹"), next = button("next", () => go(1), "›");
const modes = make("div", "pe-modes", { role: "group", "data-label": "views" });
for (const kind of ["slider", "side", "map"]) {
  const choice = button(kind, () => look(kind));
  choice.dataset.mode = kind;
  modes.append(choice);
}
const stage = make("div", "pe-stage-area", { tabindex: "0", role: "group", "data-label": "stage" });
const panes = {}, images = {};
for (const name of ["before", "after", "map"]) {
  panes[name] = make("div", `pe-pane pe-pane-${name}`);
  const inner = make("div", "pe-inner");
  images[name] = make("img", "", { alt: "", draggable: "false", decoding: "async" });
  inner.append(images[name]);
  panes[name].append(inner, make("span", "pe-pane-name", { "data-word": name === "map" ? "map.meaning" : name }));
  stage.append(panes[name]);
}
const boxes = make("div", "pe-boxes");
panes.after.firstChild.append(boxes);
const divider = make("div", "pe-divider");
const wait = make("p", "pe-wait", { role: "status" });
stage.append(divider, wait);
const position = make("input", "", { type: "range", min: "0", max: "100", value: "50", "data-label": "position" });
position.oninput = () => { split = position.value / 100; place(); };
const faces = make("section", "pe-faces");
const zooms = bar(button("out", () => zoomBy(1 / 1.5), "−"), button("in", () => zoomBy(1.5), "+"),
  button("fit", () => fit()), button("full", () => full()));
const save = button("save", () => trigger("save_photo", { photo }));
dialog.append(
  bar(title, previous, next, close), stage,
  bar(modes, position, zooms, save), faces);

// Where the picture is. In `side`, each half shows the same part of it.
const size = () => ({ width: shown?.width || 1, height: shown?.height || 1 });
const room = () => {
  const { width, height } = stage.getBoundingClientRect();
  const wide = mode === "side" && width >= height;
  return { width: wide ? width / 2 : width, height: mode === "side" && !wide ? height / 2 : height };
};
const smallest = () => Math.min(room().width / size().width, room().height / size().height);
const fit = () => {
  zoom = smallest();
  left = (room().width - zoom * size().width) / 2;
  top = (room().height - zoom * size().height) / 2;
  fitted = true;
  place();
};
const full = () => zoomBy(1 / devicePixelRatio / zoom);
const zoomBy = (factor, at = { x: room().width / 2, y: room().height / 2 }) => {
  const wanted = Math.min(16, Math.max(smallest(), zoom * factor));
  left = at.x - (at.x - left) * wanted / zoom;
  top = at.y - (at.y - top) * wanted / zoom;
  zoom = wanted;
  fitted = zoom <= smallest() * 1.001;
  keepInside();
};
const keepInside = () => {
  const limit = (at, length, space) => length <= space ? (space - length) / 2 : Math.min(0, Math.max(space - length, at));
  left = limit(left, zoom * size().width, room().width);
  top = limit(top, zoom * size().height, room().height);
  place();
};
const place = () => {
  const { width, height } = size(), space = room();
  for (const name of ["before", "after", "map"]) {
    const inner = panes[name].firstChild;
    inner.style.width = `${width}px`;
    inner.style.height = `${height}px`;
    inner.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
    inner.classList.toggle("pe-crisp", zoom * devicePixelRatio > 2);
  }
  boxes.style.setProperty("--line", `${2 / zoom}px`);
  const cut = split * space.width;
  panes.after.style.clipPath = mode === "slider" ? `inset(0 0 0 ${cut}px)` : "";
  panes.before.style.clipPath = mode === "slider" ? `inset(0 ${space.width - cut}px 0 0)` : "";
  divider.style.left = `${cut}px`;
  position.value = Math.round(100 * split);
};
const look = (kind) => {
  mode = kind;
  stage.dataset.mode = kind;
  stage.dataset.way = stage.clientWidth >= stage.clientHeight ? "wide" : "high";
  for (const choice of modes.children) choice.ariaPressed = String(choice.dataset.mode === kind);
  position.hidden = kind !== "slider";
  if (kind === "map" && shown && !shown.map && !mapAsked && !blending) {
    mapAsked = true;
    ask("map_photo");
  }
  if (fitted) fit(); else keepInside();
};

// Asking and showing.
const word = (key) => props.value?.words?.[key] ?? "";
const ask = (event, more = {}) => { asked += 1; wait.textContent = word("loading"); trigger(event, { photo, asked, ...more }); };
const open = (id) => {
  if (!dialog.open) { opener = document.activeElement; dialog.showModal(); stage.focus(); }
  photo = id; shown = null; fitted = true; mapAsked = blending = blendAgain = false;
  for (const image of Object.values(images)) image.removeAttribute("src");
  boxes.replaceChildren(); faces.replaceChildren(); title.textContent = "";
  if (mode === "map") mode = "slider";
  ask("open_photo");
};
const ready = () => [...document.querySelectorAll('.pe-card[data-state="done"]')].map((card) => card.dataset.id);
const go = (step) => {
  const ids = ready(), place = ids.indexOf(photo) + step;
  if (ids[place]) open(ids[place]);
};
const speak = () => {
  for (const node of dialog.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of dialog.querySelectorAll("[data-label]")) node.ariaLabel = word(node.dataset.label);
  dialog.ariaLabel = word("viewer");
};
const show = () => {
  speak();
  const value = props.value;
  if (!value?.photo || value.photo !== photo || value.asked !== asked || !dialog.open) return;
  const isNew = shown?.photo !== photo;
  shown = value;
  wait.textContent = value.message; // Gradio's own messages would lie behind the dialog
  title.textContent = value.name;
  for (const name of ["before", "after", "map"]) {
    const address = value[name];
    if (!address) images[name].removeAttribute("src");
    else if (images[name].getAttribute("src") !== address) images[name].src = address;
    images[name].alt = address ? `${word(name)}: ${value.name}` : "";
  }
  const ids = ready(), at = ids.indexOf(photo);
  previous.disabled = at <= 0;
  next.disabled = at < 0 || at >= ids.length - 1;
  if (isNew) drawFaces();
  look(mode);
};

// Faces: each on or off and as strong as one likes; the server blends what it kept.
const strengths = () => [...faces.querySelectorAll(".pe-face")].map((line) => {
  const [on, strength] = line.querySelectorAll("input");
  return on.checked ? strength.value / 100 : 0;
});
const blend = () => {
  if (blending) { blendAgain = true; return; }
  blending = true;
  mapAsked = false;
  ask("blend_photo", { strengths: strengths() });
};
const blended = () => {
  if (blending && props.value?.asked === asked) {
    blending = false;
    if (blendAgain) { blendAgain = false; blend(); }
  }
};
const drawFaces = () => {
  boxes.replaceChildren(); faces.replaceChildren();
  if (!shown.faces.length) return;
  const all = (on) => () => {
    for (const box of faces.querySelectorAll("input[type=checkbox]")) box.checked = on;
    blend();
  };
  const heading = make("h3");
  heading.textContent = word("faces");
  const head = bar(heading, button("faces.all", all(true)), button("faces.none", all(false)));
  faces.append(head);
  shown.faces.forEach((face, index) => {
    const name = word("face").replace("{count}", index + 1);
    const box = make("div", "pe-box");
    for (const [side, share] of [["left", face.x], ["top", face.y], ["width", face.width], ["height", face.height]])
      box.style[side] = `${100 * share}%`;
    box.dataset.number = index + 1;
    boxes.append(box);
    const line = make("div", "pe-face"), label = make("label"), on = make("input", "", { type: "checkbox" });
    const strength = make("input", "", { type: "range", min: "0", max: "100", step: "5" });
    on.checked = face.strength > 0;
    strength.value = Math.round(100 * (face.strength || 0.8));
    strength.ariaLabel = word("face.strength").replace("{count}", index + 1);
    on.onchange = blend;
    strength.onchange = () => { on.checked = true; blend(); };
    line.onpointerenter = () => box.classList.add("pe-here");
    line.onpointerleave = () => box.classList.remove("pe-here");
    label.append(on, ` ${name}`);
    line.append(label, strength);
    faces.append(line);
  });
  speak();
};

// Hands: one finger or the mouse moves the picture or the divider, two fingers zoom, so does the wheel.
const fingers = new Map();
let grabs = "picture";
const within = (event) => {
  const area = stage.getBoundingClientRect(), space = room();
  return { x: (event.clientX - area.left) % space.width, y: (event.clientY - area.top) % space.height };
};
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  const near = Math.abs(within(event).x - split * room().width) < (event.pointerType === "touch" ? 28 : 14);
  grabs = mode === "slider" && (near || zoom <= smallest() * 1.001) ? "divider" : "picture";
});
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  if (fingers.size === 2) {
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    zoomBy(apart(event) / Math.max(1, apart(before)), within(event));
  } else if (grabs === "divider") {
    split = Math.min(1, Math.max(0, (event.clientX - stage.getBoundingClientRect().left) / room().width));
    place();
  } else {
    left += event.clientX - before.clientX;
    top += event.clientY - before.clientY;
    fitted = false;
    keepInside();
  }
  fingers.set(event.pointerId, event);
});
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
stage.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(1.0015 ** -event.deltaY, within(event)); }, { passive: false });
stage.addEventListener("dblclick", (event) => fitted ? zoomBy(1 / devicePixelRatio / zoom, within(event)) : fit());
dialog.addEventListener("keydown", (event) => {
  if (event.target.matches("input[type=range]")) return;
  const acts = { ArrowLeft: () => go(-1), ArrowRight: () => go(1), "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: fit, 1: full };
  if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
});
dialog.addEventListener("close", () => {
  for (const image of Object.values(images)) image.removeAttribute("src");
  photo = shown = null;
  opener?.focus();
});
new ResizeObserver(() => { if (dialog.open && shown) look(mode); }).observe(stage);
document.addEventListener("pe-open", (event) => open(event.detail));
watch("value", () => { blended(); show(); });
look(mode);
speak();
