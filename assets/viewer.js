// The viewer: before and after under a slider or side by side, zoomed and moved at full size, what
// changed, and the photo's faces. Left and right arrows go from photo to photo.
const MAX_ZOOM = 16, ZOOM_STEP = 1.5;
const PANES = ["before", "after", "map"];
const MODES = ["slider", "side", "map"];

const state = {
  requestId: 0, // of the newest request; an answer to an older one is not shown
  photo: null, // the id of the photo that is open
  value: null, // the last answer about it
  opener: null, // what had the focus before the viewer opened
  isMapRequested: false,
  mode: "slider",
  split: 0.5, // where the divider is, as a share of the width
  zoom: 1, // screen pixels for each pixel of the photo
  left: 0, // where the photo's corner is in the stage, in screen pixels
  top: 0,
  isFitted: true, // as small as fits, and stays so when the window changes
  isBlending: false,
  isBlendWaiting: false, // strengths changed while others were blended
  fingers: new Map(), // pointer id -> its last event
  grabbed: "picture", // or "divider"
};

// Making nodes

const make = (tag, className = "", attributes = {}) => {
  const node = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const makeText = (tag, text) => Object.assign(make(tag), { textContent: text });
const makeGroup = (className, ...children) => {
  const node = make("div", className);
  node.append(...children);
  return node;
};
const makeButton = (word, action) => {
  const node = make("button", "pe-small", { type: "button", "data-word": word });
  node.onclick = action;
  return node;
};
const makeSign = (word, sign, action) => {
  const node = make("button", "pe-small pe-sign", { type: "button", "data-label": word });
  node.textContent = sign;
  node.onclick = action;
  return node;
};
const makePane = (name) => {
  const image = make("img", "", { alt: "", draggable: "false", decoding: "async" });
  const inner = makeGroup("pe-inner", image);
  const label = make("span", "pe-pane-name", { "data-word": name === "map" ? "map.meaning" : name });
  return { node: makeGroup(`pe-pane pe-pane-${name}`, inner, label), inner, image };
};
const makeMode = (mode) => {
  const node = makeButton(mode, () => setMode(mode));
  node.dataset.mode = mode;
  return node;
};

// The parts

const dialog = element.querySelector("dialog");
const parts = {
  title: make("h2"),
  previous: makeSign("previous", "‹", () => openNeighbour(-1)),
  next: makeSign("next", "›", () => openNeighbour(1)),
  close: makeButton("close", () => dialog.close()),
  stage: make("div", "pe-stage-area", { tabindex: "0", role: "group", "data-label": "stage" }),
  panes: Object.fromEntries(PANES.map((name) => [name, makePane(name)])),
  boxes: make("div", "pe-boxes"),
  divider: make("div", "pe-divider"),
  message: make("p", "pe-wait", { role: "status" }),
  modes: make("div", "pe-modes", { role: "group", "data-label": "views" }),
  position: make("input", "", {
    type: "range", min: "0", max: "100", value: "50", "data-label": "position",
  }),
  faces: make("section", "pe-faces"),
};

const assemble = () => {
  const { stage, panes, modes } = parts;
  const zooms = makeGroup(
    "pe-tools",
    makeSign("out", "−", () => zoomBy(1 / ZOOM_STEP)),
    makeSign("in", "+", () => zoomBy(ZOOM_STEP)),
    makeButton("fit", () => fit()),
    makeButton("full", () => zoomToFull()),
  );
  const save = makeButton("save", () => trigger("save_photo", { photo: state.photo }));
  panes.after.inner.append(parts.boxes);
  stage.append(...PANES.map((name) => panes[name].node), parts.divider, parts.message);
  modes.append(...MODES.map(makeMode));
  parts.position.oninput = () => {
    state.split = parts.position.value / 100;
    place();
  };
  dialog.append(
    makeGroup("pe-tools", parts.title, parts.previous, parts.next, parts.close),
    stage,
    makeGroup("pe-tools", modes, parts.position, zooms, save),
    parts.faces,
  );
};

// Where the picture is. Side by side, each half shows the same part of it.

const clamp = (value, lowest, highest) => Math.min(highest, Math.max(lowest, value));
const photoSize = () => ({ width: state.value?.width || 1, height: state.value?.height || 1 });
const paneSize = () => {
  const { width, height } = parts.stage.getBoundingClientRect();
  if (state.mode !== "side") return { width, height };
  return width >= height ? { width: width / 2, height } : { width, height: height / 2 };
};
const fittingZoom = () => {
  const pane = paneSize(), photo = photoSize();
  return Math.min(pane.width / photo.width, pane.height / photo.height);
};
const isSmallest = () => state.zoom <= fittingZoom() * 1.001;
const fit = () => {
  const pane = paneSize(), photo = photoSize();
  state.zoom = fittingZoom();
  state.left = (pane.width - state.zoom * photo.width) / 2;
  state.top = (pane.height - state.zoom * photo.height) / 2;
  state.isFitted = true;
  place();
};
const middle = () => ({ x: paneSize().width / 2, y: paneSize().height / 2 });
const zoomBy = (factor, at = middle()) => {
  const wanted = Math.min(MAX_ZOOM, Math.max(fittingZoom(), state.zoom * factor));
  state.left = at.x - ((at.x - state.left) * wanted) / state.zoom;
  state.top = at.y - ((at.y - state.top) * wanted) / state.zoom;
  state.zoom = wanted;
  state.isFitted = isSmallest();
  keepInside();
};
const zoomToFull = (at = middle()) => zoomBy(1 / devicePixelRatio / state.zoom, at);
const moveBy = (x, y) => {
  state.left += x;
  state.top += y;
  state.isFitted = false;
  keepInside();
};
const insideOf = (start, length, space) =>
  length <= space ? (space - length) / 2 : clamp(start, space - length, 0);
const keepInside = () => {
  const pane = paneSize(), photo = photoSize();
  state.left = insideOf(state.left, state.zoom * photo.width, pane.width);
  state.top = insideOf(state.top, state.zoom * photo.height, pane.height);
  place();
};

const placePicture = (inner) => {
  const { width, height } = photoSize();
  inner.style.width = `${width}px`;
  inner.style.height = `${height}px`;
  inner.style.transform = `translate(${state.left}px, ${state.top}px) scale(${state.zoom})`;
  inner.classList.toggle("pe-crisp", state.zoom * devicePixelRatio > 2);
};
const placeDivider = () => {
  const { width } = paneSize(), cut = state.split * width, isSlider = state.mode === "slider";
  parts.panes.after.node.style.clipPath = isSlider ? `inset(0 0 0 ${cut}px)` : "";
  parts.panes.before.node.style.clipPath = isSlider ? `inset(0 ${width - cut}px 0 0)` : "";
  parts.divider.style.left = `${cut}px`;
  parts.position.value = Math.round(100 * state.split);
};
const place = () => {
  for (const name of PANES) placePicture(parts.panes[name].inner);
  parts.boxes.style.setProperty("--line", `${2 / state.zoom}px`);
  placeDivider();
};

const setMode = (mode) => {
  const { stage } = parts;
  state.mode = mode;
  stage.dataset.mode = mode;
  stage.dataset.way = stage.clientWidth >= stage.clientHeight ? "wide" : "high";
  for (const choice of parts.modes.children) choice.ariaPressed = String(choice.dataset.mode === mode);
  parts.position.hidden = mode !== "slider";
  if (mode === "map") requestMap();
  if (state.isFitted) fit();
  else keepInside();
};

// Asking the server

const word = (key) => props.value?.words?.[key] ?? "";
const request = (event, payload = {}) => {
  state.requestId += 1;
  parts.message.textContent = word("loading");
  trigger(event, { photo: state.photo, request_id: state.requestId, ...payload });
};
const requestMap = () => {
  const { value, isMapRequested, isBlending } = state;
  if (!value || value.map || isMapRequested || isBlending) return;
  state.isMapRequested = true;
  request("map_photo");
};
const requestBlend = () => {
  if (state.isBlending) {
    state.isBlendWaiting = true;
    return;
  }
  state.isBlending = true;
  state.isMapRequested = false;
  request("blend_photo", { strengths: strengths() });
};
const endBlend = () => {
  if (!state.isBlending || props.value?.request_id !== state.requestId) return;
  state.isBlending = false;
  if (!state.isBlendWaiting) return;
  state.isBlendWaiting = false;
  requestBlend();
};

// Opening

const clearImages = () => {
  for (const name of PANES) parts.panes[name].image.removeAttribute("src");
};
const clearFaces = () => {
  parts.boxes.replaceChildren();
  parts.faces.replaceChildren();
};
const showDialog = () => {
  if (dialog.open) return;
  state.opener = document.activeElement;
  dialog.showModal();
  parts.stage.focus();
};
const open = (id) => {
  showDialog();
  Object.assign(state, {
    photo: id, value: null, isFitted: true,
    isMapRequested: false, isBlending: false, isBlendWaiting: false,
  });
  clearImages();
  clearFaces();
  parts.title.textContent = "";
  if (state.mode === "map") state.mode = "slider";
  request("open_photo");
};
const finishedIds = () =>
  [...document.querySelectorAll('.pe-card[data-state="done"]')].map((card) => card.dataset.id);
const openNeighbour = (step) => {
  const ids = finishedIds(), id = ids[ids.indexOf(state.photo) + step];
  if (id) open(id);
};
const forget = () => {
  clearImages();
  state.photo = state.value = null;
  state.opener?.focus();
};

// Showing an answer

const drawWords = () => {
  for (const node of dialog.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of dialog.querySelectorAll("[data-label]")) node.ariaLabel = word(node.dataset.label);
  dialog.ariaLabel = word("viewer");
};
const drawImage = (name, value) => {
  const address = value[name], { image } = parts.panes[name];
  if (!address) image.removeAttribute("src");
  else if (image.getAttribute("src") !== address) image.src = address;
  image.alt = address ? `${word(name)}: ${value.name}` : "";
};
const drawNeighbours = () => {
  const ids = finishedIds(), place = ids.indexOf(state.photo);
  parts.previous.disabled = place <= 0;
  parts.next.disabled = place < 0 || place >= ids.length - 1;
};
const isAnswer = (value) =>
  dialog.open && value?.photo && value.photo === state.photo && value.request_id === state.requestId;
const drawAnswer = (value) => {
  const isNew = state.value?.photo !== state.photo;
  state.value = value;
  parts.message.textContent = value.message; // Gradio's own messages would lie behind the dialog
  parts.title.textContent = value.name;
  for (const name of PANES) drawImage(name, value);
  drawNeighbours();
  if (isNew) drawFaces(value.faces);
  setMode(state.mode);
};
const draw = () => {
  drawWords();
  if (isAnswer(props.value)) drawAnswer(props.value);
};

// Faces: each on or off and as strong as one likes; the server blends what it kept

const strengths = () => [...parts.faces.querySelectorAll(".pe-face")].map((line) => {
  const [on, strength] = line.querySelectorAll("input");
  return on.checked ? strength.value / 100 : 0;
});
const setAllFaces = (on) => {
  for (const box of parts.faces.querySelectorAll("input[type=checkbox]")) box.checked = on;
  requestBlend();
};
const makeBox = (face, number) => {
  const box = make("div", "pe-box", { "data-number": number });
  const shares = { left: face.x, top: face.y, width: face.width, height: face.height };
  for (const [side, share] of Object.entries(shares)) box.style[side] = `${100 * share}%`;
  return box;
};
const makeFaceLine = (face, number, box) => {
  const line = make("div", "pe-face"), label = make("label");
  const on = make("input", "", { type: "checkbox" });
  const strength = make("input", "", { type: "range", min: "0", max: "100", step: "5" });
  on.checked = face.strength > 0;
  strength.value = Math.round(100 * (face.strength || 0.8));
  strength.ariaLabel = word("face.strength").replace("{count}", number);
  on.onchange = requestBlend;
  strength.onchange = () => {
    on.checked = true;
    requestBlend();
  };
  line.onpointerenter = () => box.classList.add("pe-here");
  line.onpointerleave = () => box.classList.remove("pe-here");
  label.append(on, ` ${word("face").replace("{count}", number)}`);
  line.append(label, strength);
  return line;
};
const drawFaces = (faces) => {
  clearFaces();
  if (!faces.length) return;
  parts.faces.append(makeGroup(
    "pe-tools",
    makeText("h3", word("faces")),
    makeButton("faces.all", () => setAllFaces(true)),
    makeButton("faces.none", () => setAllFaces(false)),
  ));
  faces.forEach((face, index) => {
    const box = makeBox(face, index + 1);
    parts.boxes.append(box);
    parts.faces.append(makeFaceLine(face, index + 1, box));
  });
  drawWords();
};

// Pointers: one finger or the mouse moves the picture or the divider, two fingers zoom

const pointIn = (event) => {
  const area = parts.stage.getBoundingClientRect(), pane = paneSize();
  return { x: (event.clientX - area.left) % pane.width, y: (event.clientY - area.top) % pane.height };
};
const isNearDivider = (event) => {
  const reach = event.pointerType === "touch" ? 28 : 14;
  return Math.abs(pointIn(event).x - state.split * paneSize().width) < reach;
};
const moveDivider = (event) => {
  const fromLeft = event.clientX - parts.stage.getBoundingClientRect().left;
  state.split = clamp(fromLeft / paneSize().width, 0, 1);
  place();
};
const pinch = (event, before) => {
  const other = [...state.fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
  const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  zoomBy(apart(event) / Math.max(1, apart(before)), pointIn(event));
};
const pressed = (event) => {
  parts.stage.setPointerCapture(event.pointerId);
  state.fingers.set(event.pointerId, event);
  const takesDivider = state.mode === "slider" && (isNearDivider(event) || isSmallest());
  state.grabbed = takesDivider ? "divider" : "picture";
};
const dragged = (event) => {
  const before = state.fingers.get(event.pointerId);
  if (!before) return;
  if (state.fingers.size === 2) pinch(event, before);
  else if (state.grabbed === "divider") moveDivider(event);
  else moveBy(event.clientX - before.clientX, event.clientY - before.clientY);
  state.fingers.set(event.pointerId, event);
};
const released = (event) => state.fingers.delete(event.pointerId);
const wheeled = (event) => {
  event.preventDefault();
  zoomBy(1.0015 ** -event.deltaY, pointIn(event));
};
const doubleClicked = (event) => (state.isFitted ? zoomToFull(pointIn(event)) : fit());

// Keys

const KEYS = {
  ArrowLeft: () => openNeighbour(-1),
  ArrowRight: () => openNeighbour(1),
  "+": () => zoomBy(ZOOM_STEP),
  "=": () => zoomBy(ZOOM_STEP),
  "-": () => zoomBy(1 / ZOOM_STEP),
  0: () => fit(),
  1: () => zoomToFull(),
};
const keyPressed = (event) => {
  if (event.target.matches("input[type=range]")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
};

const listen = () => {
  const { stage } = parts;
  stage.addEventListener("pointerdown", pressed);
  stage.addEventListener("pointermove", dragged);
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, released);
  stage.addEventListener("wheel", wheeled, { passive: false });
  stage.addEventListener("dblclick", doubleClicked);
  dialog.addEventListener("keydown", keyPressed);
  dialog.addEventListener("close", forget);
  new ResizeObserver(() => { if (dialog.open && state.value) setMode(state.mode); }).observe(stage);
  document.addEventListener("pe-open", (event) => open(event.detail));
  watch("value", () => { endBlend(); draw(); });
};

assemble();
listen();
setMode(state.mode);
drawWords();
