package convert

import (
	"strings"
)

// frame is one level of line prefixes: a quote or a list item.
type frame struct {
	first, rest string
	used        bool // first was written
}

// span is a range of bytes of the output.
type span struct{ start, end int }

// writer lays out lines: it collapses white space, keeps blocks apart and puts prefixes before lines.
type writer struct {
	out      strings.Builder
	limit    int
	full     bool // the limit was reached, everything further is dropped
	frames   []*frame
	last     []*frame // frames of the last written line
	newlines int      // to write before the next text
	space    bool     // to write before the next text, unless a line starts
	started  bool     // something was written
	glue     bool     // the next text follows directly, whatever block it is in
	verbatim []span   // text that emoticons leave alone
}

// emit appends to the output as long as the limit allows.
func (w *writer) emit(text string) {
	if w.full {
		return
	}
	if cut, isCut := clip(text, w.limit-w.out.Len()); isCut {
		text, w.full = cut, true
	}
	w.out.WriteString(text)
}

// begin writes what is due before text: newlines with the prefixes that both neighbours share, then the new line's prefixes.
func (w *writer) begin() {
	w.glue = false
	if w.started && w.newlines == 0 && !w.firstLineOfFrame() {
		if w.space {
			w.emit(" ")
		}
		w.space = false
		return
	}
	if w.started {
		common := 0
		for common < len(w.last) && common < len(w.frames) && w.last[common] == w.frames[common] {
			common++
		}
		var blank strings.Builder
		for _, f := range w.last[:common] {
			blank.WriteString(f.rest)
		}
		empty := strings.TrimRight(blank.String(), " ")
		for i := range max(w.newlines, 1) {
			if i > 0 {
				w.emit(empty)
			}
			w.emit("\n")
		}
	}
	for _, f := range w.frames {
		if f.used {
			w.emit(f.rest)
		} else {
			w.emit(f.first)
			f.used = true
		}
	}
	w.last = append(w.last[:0:0], w.frames...)
	w.newlines, w.space, w.started = 0, false, true
}

// firstLineOfFrame tells whether a quote or item was opened and has no line yet.
func (w *writer) firstLineOfFrame() bool {
	return len(w.frames) > 0 && !w.frames[len(w.frames)-1].used
}

// atLineStart tells whether the next text starts a line.
func (w *writer) atLineStart() bool {
	return !w.started || w.newlines > 0 || w.glue || w.firstLineOfFrame()
}

const htmlSpace = " \t\n\r\f"

// text writes running text, with its white space collapsed.
func (w *writer) text(text string) {
	for text != "" && !w.full {
		word := strings.TrimLeft(text, htmlSpace)
		if len(word) < len(text) && !w.atLineStart() {
			w.space = true
		}
		if word == "" {
			return
		}
		end := strings.IndexAny(word, htmlSpace)
		if end < 0 {
			end = len(word)
		}
		w.begin()
		w.emit(word[:end])
		text = word[end:]
	}
}

// raw writes inline text exactly as it is; its newlines become line breaks.
func (w *writer) raw(text string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			w.newlines++
		}
		if line == "" {
			continue
		}
		w.begin()
		start := w.out.Len()
		w.emit(line)
		w.verbatim = append(w.verbatim, span{start, w.out.Len()})
		if w.full {
			return
		}
	}
}

// separate asks for n newlines before the next text: 1 for a new line, 2 for an empty line between. The first block of a list
// item or quote stays on the item's own line.
func (w *writer) separate(n int) {
	if w.glue {
		return
	}
	if w.firstLineOfFrame() {
		n = min(n, 1)
	}
	w.newlines, w.space = max(w.newlines, n), false
}

// lineBreak ends the line; repeated ones leave empty lines.
func (w *writer) lineBreak() {
	w.newlines++
	w.space = false
}

func (w *writer) push(first, rest string) *frame {
	f := &frame{first: first, rest: rest}
	w.frames = append(w.frames, f)
	return f
}

func (w *writer) pop() { w.frames = w.frames[:len(w.frames)-1] }
