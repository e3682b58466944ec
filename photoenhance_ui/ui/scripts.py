"""Small scripts that run in the browser before or after a handler; each is one function."""

SPEAK_JS = "(language) => { document.documentElement.lang = language; }"
SHOW_BATCH_JS = """() => {
  if (!matchMedia("(max-width: 800px)").matches) return;
  const summary = document.querySelector("#pe-summary");
  setTimeout(() => summary?.scrollIntoView({block: "start"}), 200);
}"""
SHOW_START_JS = """() =>
  document.querySelector("#pe-start")?.scrollIntoView({block: "nearest"})"""
SELECTED_JS = """(_, ...others) => [
  [...document.querySelectorAll(".pe-choose:checked")].map((box) => box.closest("li").dataset.id),
  ...others]"""
SAVE_FILE_JS = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "";
  document.body.append(link);
  link.click();
  link.remove();
}"""
