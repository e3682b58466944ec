// A button with data-act fires the event of that name with its other data.
const events = ["take_example", "fetch_network"];
element.addEventListener("click", (click) => {
  const button = click.target.closest("button[data-act]");
  if (button && events.includes(button.dataset.act)) trigger(button.dataset.act, { ...button.dataset });
});
