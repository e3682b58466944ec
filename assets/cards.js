// Draws the cards of a batch. A card that has not changed is not touched, so nothing flickers.
const list = element.querySelector(".pe-cards");
const cards = new Map(); // id -> { node, parts, drawn }
let words = {};

const make = (tag, className, attributes = {}) => {
  const node = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const fill = (text, name) => (text ?? "").replace("{name}", name);
const set = (node, property, value) => { if (node[property] !== value) node[property] = value; };

const build = (id) => {
  const node = make("li", "pe-card");
  node.dataset.id = id;
  const parts = {
    look: make("button", "pe-look", { type: "button" }),
    image: make("img", "", { alt: "", decoding: "async", loading: "lazy" }),
    tag: make("span", "pe-tag"),
    bar: make("progress", "", { max: "100" }),
    choose: make("input", "pe-choose", { type: "checkbox" }),
    name: make("span", "pe-name"),
    badge: make("span", "pe-badge"),
    stage: make("span", "pe-stage"),
    facts: make("span", "pe-facts"),
    reason: make("span", "pe-reason"),
    warnings: make("span", "pe-warning"),
    cancel: make("button", "pe-small", { type: "button" }),
    retry: make("button", "pe-small", { type: "button" }),
    save: make("button", "pe-small", { type: "button" }),
  };
  const head = make("div", "pe-head"), notes = make("div", "pe-notes"), acts = make("div", "pe-acts");
  parts.look.append(parts.image, parts.tag);
  head.append(parts.choose, parts.name, parts.badge);
  notes.append(parts.stage, parts.facts, parts.reason, parts.warnings);
  acts.append(parts.cancel, parts.retry, parts.save);
  node.append(parts.look, parts.bar, head, notes, acts);
  parts.look.onclick = () => document.dispatchEvent(new CustomEvent("pe-open", { detail: id }));
  parts.cancel.onclick = () => trigger("stop_photo", { photo: id });
  parts.retry.onclick = () => trigger("retry_photo", { photo: id });
  parts.save.onclick = () => trigger("save_photo", { photo: id });
  return { node, parts, drawn: "" };
};

const draw = (card, parts, node) => {
  const done = card.state === "done";
  const again = card.state === "failed" || card.state === "cancelled";
  node.dataset.state = card.state;
  node.dataset.kind = card.kind ?? "none";
  if ((parts.image.getAttribute("src") ?? null) !== card.picture) {
    if (card.picture) parts.image.src = card.picture;
    else parts.image.removeAttribute("src");
  }
  parts.image.hidden = !card.picture;
  parts.look.disabled = !done;
  parts.look.ariaLabel = done ? fill(words.open, card.name) : card.name;
  set(parts.tag, "textContent", card.tag);
  parts.bar.hidden = card.percent === null;
  parts.bar.value = card.percent ?? 0;
  parts.bar.ariaLabel = fill(words.progress, card.name);
  parts.choose.hidden = !done;
  if (!done) parts.choose.checked = false;
  parts.choose.ariaLabel = fill(words.choose, card.name);
  set(parts.name, "textContent", card.name);
  parts.name.title = card.name;
  for (const text of ["badge", "stage", "facts", "reason"]) set(parts[text], "textContent", card[text]);
  set(parts.warnings, "textContent", card.warnings.join(" "));
  for (const [act, shown] of [["cancel", !done && !again], ["retry", again], ["save", done]]) {
    parts[act].hidden = !shown;
    set(parts[act], "textContent", words[act]);
    parts[act].ariaLabel = fill(words[`${act}.label`], card.name);
  }
};

const show = () => {
  const value = { words: {}, cards: [], ...props.value };
  words = value.words;
  list.ariaLabel = words.list ?? "";
  const language = JSON.stringify(words);
  const ids = new Set(value.cards.map((card) => card.id));
  for (const [id, { node }] of cards) if (!ids.has(id)) { node.remove(); cards.delete(id); }
  value.cards.forEach((card, place) => {
    if (!cards.has(card.id)) cards.set(card.id, build(card.id));
    const kept = cards.get(card.id), wanted = JSON.stringify(card) + language;
    if (kept.drawn !== wanted) draw(card, kept.parts, kept.node);
    kept.drawn = wanted;
    if (list.children[place] !== kept.node) list.insertBefore(kept.node, list.children[place] ?? null);
  });
};
watch("value", show);
show();
