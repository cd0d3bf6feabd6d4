// Measures a page in frames of several widths: what is too wide, what overlaps, what cannot be read.
// The test (support/browser.cc) puts it into a page that holds the frames and reads what it writes.
'use strict';

function meets(a, b) {
  const slack = 1;  // pixels, for glyphs that do not fill their box
  return Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
}

function luminance(colour) {
  const channels = colour.match(/[\d.]+/g).slice(0, 3).map((c) => {
    const v = c / 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
}

function contrast(a, b) {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

function visible(element) {
  return element.getClientRects().length > 0 && element.textContent.trim() !== '';
}

// Everything but what lies inside a scrolling box keeps to the width.
function checkWidth(doc, width, add) {
  if (doc.documentElement.scrollWidth > width) add(`the page is ${doc.documentElement.scrollWidth} wide`);
  for (const element of doc.body.querySelectorAll('*')) {
    if (element.parentElement.closest('.scroll') || element.closest('svg') !== null && element.tagName !== 'svg') continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 0.5 || box.left < -0.5))
      add(`<${element.tagName}> reaches from ${box.left} to ${box.right}: ${element.textContent.trim().slice(0, 40)}`);
  }
}

function checkLabels(doc, add) {
  for (const svg of doc.querySelectorAll('figure svg')) {
    if (svg.getClientRects().length === 0) continue;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].filter(visible);
    const boxes = texts.map((text) => text.getBoundingClientRect());
    const title = svg.getAttribute('aria-label').slice(0, 40);
    texts.forEach((text, i) => {
      const own = boxes[i];
      if (own.left < frame.left - 1 || own.right > frame.right + 1 || own.top < frame.top - 1 || own.bottom > frame.bottom + 1)
        add(`'${text.textContent}' is cut off (${title})`);
      for (let k = 0; k < i; ++k)
        if (meets(own, boxes[k])) add(`'${texts[k].textContent}' and '${text.textContent}' overlap (${title})`);
      if (own.height < 9) add(`'${text.textContent}' is ${own.height} high (${title})`);
    });
  }
}

function checkContrast(doc, view, add) {
  const paper = view.getComputedStyle(doc.body).backgroundColor;
  for (const element of doc.body.querySelectorAll('p, li, th, td, h1, h2, b, span, figcaption, a, caption, footer, svg text')) {
    if (!visible(element)) continue;
    const style = view.getComputedStyle(element);
    const ink = element.closest('svg') ? style.fill : style.color;
    if (/^rgb/.test(ink) && contrast(ink, paper) < 4.5)
      add(`'${element.textContent.trim().slice(0, 40)}' has a contrast of ${contrast(ink, paper).toFixed(1)}`);
  }
}

// A word on two lines was broken, unless it may break: after a hyphen or a slash.
function checkWords(doc, add) {
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('svg, style, script')) continue;
    for (const word of node.textContent.matchAll(/[^\s\-\/]+/g)) {
      const range = doc.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (tops.size > 1) add(`'${word[0]}' is broken`);
    }
  }
}

// A table that scrolls says so on narrow screens.
function checkTables(doc, width, add) {
  for (const scroll of doc.querySelectorAll('.scroll')) {
    if (width >= 720 || scroll.scrollWidth <= scroll.clientWidth + 1) continue;
    const hint = scroll.parentElement.querySelector('.hint');
    if (!hint || !visible(hint)) add(`the table '${scroll.getAttribute('aria-label')}' scrolls and does not say so`);
  }
}

window.onload = () => {
  const lines = [`dark ${window.matchMedia('(prefers-color-scheme: dark)').matches}`];
  for (const frame of document.querySelectorAll('iframe')) {
    const doc = frame.contentDocument, width = frame.clientWidth;
    const add = (fault) => lines.push(`at ${width}: ${fault}`);
    lines.push(`measured ${width}: ${doc.querySelectorAll('figure svg text').length > 0 ? 'figures' : 'no figures'}`);
    checkWidth(doc, width, add);
    checkLabels(doc, add);
    checkContrast(doc, frame.contentWindow, add);
    checkWords(doc, add);
    checkTables(doc, width, add);
  }
  document.body.innerHTML = '<pre id="result"></pre>';
  document.getElementById('result').textContent = '\n' + lines.join('\n') + '\n';
};
