// Draws the cards of a batch. A card that has not changed is not touched, so nothing flickers.
const state = {
  list: element.querySelector(".pe-cards"),
  cards: new Map(), // id -> { node, parts, drawn }; drawn is what the card shows, as JSON
  words: {}, // in the language of the page
};

const make = (tag, className, attributes = {}) => {
  const node = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const makeGroup = (className, ...children) => {
  const node = make("div", className);
  node.append(...children);
  return node;
};
const withName = (text, name) => (text ?? "").replace("{name}", name);
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// Building a card

const makeParts = () => ({
  open: make("button", "pe-look", { type: "button" }),
  image: make("img", "", { alt: "", decoding: "async", loading: "lazy" }),
  tag: make("span", "pe-tag"),
  progress: make("progress", "", { max: "100" }),
  select: make("input", "pe-choose", { type: "checkbox" }),
  name: make("span", "pe-name"),
  badge: make("span", "pe-badge"),
  stage: make("span", "pe-stage"),
  facts: make("span", "pe-facts"),
  reason: make("span", "pe-reason"),
  warnings: make("span", "pe-warning"),
  cancel: make("button", "pe-small", { type: "button" }),
  retry: make("button", "pe-small", { type: "button" }),
  save: make("button", "pe-small", { type: "button" }),
});

const connect = (parts, id) => {
  parts.open.onclick = () => document.dispatchEvent(new CustomEvent("pe-open", { detail: id }));
  parts.cancel.onclick = () => trigger("stop_photo", { photo: id });
  parts.retry.onclick = () => trigger("retry_photo", { photo: id });
  parts.save.onclick = () => trigger("save_photo", { photo: id });
};

const makeCard = (id) => {
  const node = make("li", "pe-card"), parts = makeParts();
  node.dataset.id = id;
  parts.open.append(parts.image, parts.tag);
  node.append(
    parts.open,
    parts.progress,
    makeGroup("pe-head", parts.select, parts.name, parts.badge),
    makeGroup("pe-notes", parts.stage, parts.facts, parts.reason, parts.warnings),
    makeGroup("pe-acts", parts.cancel, parts.retry, parts.save),
  );
  connect(parts, id);
  return { node, parts, drawn: "" };
};

// Drawing what it shows

const drawPicture = (parts, card) => {
  if ((parts.image.getAttribute("src") ?? null) !== card.picture) {
    if (card.picture) parts.image.src = card.picture;
    else parts.image.removeAttribute("src");
  }
  parts.image.hidden = !card.picture;
  setText(parts.tag, card.tag);
};

const drawProgress = (parts, card) => {
  parts.progress.hidden = card.percent === null;
  parts.progress.value = card.percent ?? 0;
  parts.progress.ariaLabel = withName(state.words.progress, card.name);
};

const drawTexts = (parts, card) => {
  setText(parts.name, card.name);
  parts.name.title = card.name;
  for (const part of ["badge", "stage", "facts", "reason"]) setText(parts[part], card[part]);
  setText(parts.warnings, card.warnings.join(" "));
};

const drawControls = (parts, card) => {
  const isDone = card.state === "done";
  const canRetry = card.state === "failed" || card.state === "cancelled";
  const isShown = { cancel: !isDone && !canRetry, retry: canRetry, save: isDone };
  parts.open.disabled = !isDone;
  parts.open.ariaLabel = isDone ? withName(state.words.open, card.name) : card.name;
  parts.select.hidden = !isDone;
  if (!isDone) parts.select.checked = false;
  parts.select.ariaLabel = withName(state.words.choose, card.name);
  for (const [action, shown] of Object.entries(isShown)) {
    parts[action].hidden = !shown;
    setText(parts[action], state.words[action]);
    parts[action].ariaLabel = withName(state.words[`${action}.label`], card.name);
  }
};

const drawCard = ({ node, parts }, card) => {
  node.dataset.state = card.state;
  node.dataset.kind = card.kind ?? "none";
  drawPicture(parts, card);
  drawProgress(parts, card);
  drawTexts(parts, card);
  drawControls(parts, card);
};

// Drawing the batch

const removeAllBut = (ids) => {
  for (const [id, { node }] of state.cards) {
    if (ids.has(id)) continue;
    node.remove();
    state.cards.delete(id);
  }
};

const drawAt = (place, card, language) => {
  if (!state.cards.has(card.id)) state.cards.set(card.id, makeCard(card.id));
  const known = state.cards.get(card.id), wanted = JSON.stringify(card) + language;
  if (known.drawn !== wanted) drawCard(known, card);
  known.drawn = wanted;
  const there = state.list.children[place] ?? null;
  if (there !== known.node) state.list.insertBefore(known.node, there);
};

const drawBatch = () => {
  const value = { words: {}, cards: [], ...props.value };
  const language = JSON.stringify(value.words);
  state.words = value.words;
  state.list.ariaLabel = state.words.list ?? "";
  removeAllBut(new Set(value.cards.map((card) => card.id)));
  value.cards.forEach((card, place) => drawAt(place, card, language));
};

watch("value", drawBatch);
drawBatch();
