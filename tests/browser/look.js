// Asked through the driver, never by a page. Everything is measured, nothing is changed.
const look = {
  visible(element) {
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.display === "none" || style.visibility !== "visible" || style.opacity === "0") return false;
      if (e.tagName === "DETAILS" && !e.open && e !== element && !e.querySelector("summary").contains(element)) return false;
    }
    return true;
  },

  // parked outside for those who listen: not to be seen, and not to be measured
  aside(element) { return element.closest(".away, .skip:not(:focus), title, option") !== null || look.parked(element); },
  parked(element) { return element.getBoundingClientRect().right < 0; },

  // how much larger a drawing shows its units
  zoom(element) {
    if (!(element instanceof SVGElement)) return 1;
    const matrix = element.getScreenCTM();
    return Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c));
  },

  colour(text) {
    const parts = text.match(/[\d.]+/g).map(Number);
    return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
  },

  over(top, under) { return [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1); },

  ground(element) {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(look.colour(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, layer) => look.over(layer, under), [255, 255, 255, 1]);
  },

  light(colour) {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  },

  contrast(element) {
    const style = getComputedStyle(element), ground = look.ground(element);
    const ink = look.over(look.colour(element instanceof SVGElement ? style.fill : style.color), ground);
    const [a, b] = [look.light(ink), look.light(ground)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  },

  clipped(element, box) {
    for (let e = element; e && e !== document.documentElement; e = e.parentElement) {
      if (["hidden", "clip"].includes(getComputedStyle(e).overflowX) && !(e instanceof SVGElement)) {
        const edge = e.getBoundingClientRect();
        if (box.right > edge.right + 1 || box.left < edge.left - 1 || box.bottom > edge.bottom + 1) return true;
      }
    }
    const drawing = element.closest("svg");
    if (!drawing || getComputedStyle(drawing).overflow === "visible") return false;
    const edge = drawing.getBoundingClientRect();
    return box.right > edge.right + 1 || box.left < edge.left - 1 || box.bottom > edge.bottom + 1 || box.top < edge.top - 1;
  },

  texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, element = node.parentElement;
      if (!node.data.trim() || look.aside(element) || !look.visible(element)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) {
        if (box.width < 1 || box.height < 1) continue;
        found.push({
          words: node.data.trim().slice(0, 60), left: box.left + scrollX, right: box.right + scrollX, top: box.top + scrollY,
          bottom: box.bottom + scrollY, letters: parseFloat(getComputedStyle(element).fontSize) * look.zoom(element),
          contrast: look.contrast(element), clipped: look.clipped(element, box),
        });
      }
    }
    return found;
  },

  path(element) {
    const steps = [];
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      steps.unshift(`${e.tagName.toLowerCase()}:${[...e.parentElement.children].indexOf(e)}`);
    }
    return steps.join("/");
  },

  reachable() {
    const all = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary");
    const groups = new Set();
    return [...all].filter((e) => look.visible(e)).filter((e) => {
      if (e.type !== "radio") return true;
      if (groups.has(e.name)) return false;
      return groups.add(e.name);
    }).map(look.path);
  },

  held() {
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    const words = (e.innerText || e.textContent || e.name || e.tagName).trim().slice(0, 60);
    return {
      name: words, path: look.path(e), left: box.left + scrollX, top: box.top + scrollY,
      outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
  },

  headings() {
    return [...document.querySelectorAll("h1, h2, h3, h4")].filter((e) => look.visible(e)).map((e) => [Number(e.tagName[1]), e.innerText]);
  },
};
