// The page's nodes: found, made, and written. Text goes in as text alone: names are somebody's input.

export const by = (id) => document.getElementById(id);

// Only what changed is written, so that a selection and a reader's place survive.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function made(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

// Puts items into a list, keeping the nodes that are there.
export function list(node, items, fill) {
  while (node.children.length > items.length) node.lastElementChild.remove();
  while (node.children.length < items.length) node.append(made('li'));
  items.forEach((item, at) => fill(node.children[at], item));
}
