//! A drawing as a PDF of one page, as large as the drawing.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect as PdfRect, Ref, Str, TextStr};
use std::io::Write;

use super::{Drawing, Look, PlacedText, Point, Rect};

/// The largest side that all readers accept (ISO 32000-1, Annex C.2); larger drawings are made smaller.
const LARGEST_SIDE: f64 = 14_400.0;
const FONT: Name<'static> = Name(b"F");
const BORDER_GAP: f64 = 3.0;
const PAPER: f32 = 1.0;
const INK: f32 = 0.13;
const LINE: f32 = 0.2;
const GREY: f32 = 0.77;

/// The drawing as a PDF document. Letters outside Windows' western set, which the built-in fonts lack, become `?`.
pub fn pdf(drawing: &Drawing) -> Vec<u8> {
    let scale = (LARGEST_SIDE / drawing.width.max(drawing.height)).min(1.0);
    let [catalog, pages, page_id, font, contents, info] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page_id]).count(1);
    let mut page = pdf.page(page_id);
    let size = |points: f64| (points * scale) as f32;
    page.media_box(PdfRect::new(0.0, 0.0, size(drawing.width), size(drawing.height)));
    page.parent(pages).contents(contents);
    page.resources().fonts().pair(FONT, font);
    page.finish();
    // One of the fonts that every reader has: nothing needs to be embedded.
    pdf.type1_font(font).base_font(Name(b"Helvetica")).encoding_predefined(Name(b"WinAnsiEncoding"));
    // No date, or the same profile would give another file tomorrow.
    pdf.document_info(info).title(TextStr(&drawing.title)).producer(TextStr("jeprof-rs"));

    let mut canvas = Canvas { content: Content::new(), height: drawing.height };
    canvas.content.transform([scale as f32, 0.0, 0.0, scale as f32, 0.0, 0.0]);
    canvas.draw(drawing);
    let packed = packed(&canvas.content.finish());
    let mut stream = pdf.stream(contents, &packed);
    stream.filter(Filter::FlateDecode);
    stream.finish();
    pdf.finish()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// PDF counts upwards from the lower edge.
struct Canvas {
    content: Content,
    height: f64,
}

impl Canvas {
    fn draw(&mut self, drawing: &Drawing) {
        drawing.legend.iter().for_each(|line| self.text(line));
        for arrow in &drawing.arrows {
            self.content.set_stroke_gray(LINE).set_fill_gray(LINE).set_line_width(arrow.width as f32);
            let dashes: &[f32] = if arrow.dashed { &[6.0, 4.0] } else { &[] };
            self.content.set_dash_pattern(dashes.iter().copied(), 0.0);
            let (x, y) = self.at(arrow.curve[0]);
            self.content.move_to(x, y);
            for piece in arrow.curve[1..].chunks_exact(3) {
                let [a, b, c] = [piece[0], piece[1], piece[2]].map(|point| self.at(point));
                self.content.cubic_to(a.0, a.1, b.0, b.1, c.0, c.1);
            }
            self.content.stroke();
            let [tip, left, right] = arrow.head.map(|point| self.at(point));
            self.content.move_to(tip.0, tip.1).line_to(left.0, left.1).line_to(right.0, right.1);
            self.content.close_path().fill_nonzero();
        }
        self.content.set_dash_pattern([], 0.0).set_line_width(1.0).set_stroke_gray(INK);
        for placed in &drawing.boxes {
            let fill = if placed.look == Look::Filled { GREY } else { PAPER };
            self.content.set_fill_gray(fill);
            self.rect(&placed.rect);
            self.content.fill_nonzero_and_stroke();
            if placed.look == Look::TripleBorder {
                for gap in [BORDER_GAP, 2.0 * BORDER_GAP] {
                    let Rect { x, y, width, height } = placed.rect;
                    self.rect(&Rect {
                        x: x - gap,
                        y: y - gap,
                        width: width + 2.0 * gap,
                        height: height + 2.0 * gap,
                    });
                    self.content.stroke();
                }
            }
            placed.lines.iter().for_each(|line| self.text(line));
        }
        for label in drawing.arrows.iter().filter_map(|arrow| arrow.label.as_ref()) {
            // Paper behind it, so that no arrow runs through a figure.
            self.content.set_fill_gray(PAPER);
            let y = label.at.y - label.font_size * 0.76;
            self.rect(&Rect { x: label.at.x, y, width: label.width, height: label.font_size * 0.8 });
            self.content.fill_nonzero();
            self.text(label);
        }
    }

    fn at(&self, point: Point) -> (f32, f32) {
        (point.x as f32, (self.height - point.y) as f32)
    }

    fn rect(&mut self, rect: &Rect) {
        let (x, y) = self.at(Point { x: rect.x, y: rect.y + rect.height });
        self.content.rect(x, y, rect.width as f32, rect.height as f32);
    }

    fn text(&mut self, line: &PlacedText) {
        let (x, y) = self.at(line.at);
        let bytes: Vec<u8> = line.text.chars().map(western).collect();
        self.content.begin_text().set_fill_gray(INK).set_font(FONT, line.font_size as f32);
        self.content.next_line(x, y).show(Str(&bytes)).end_text();
    }
}

/// A character in Windows-1252.
fn western(c: char) -> u8 {
    match c {
        ' '..='~' | '\u{a0}'..='\u{ff}' => c as u8,
        '\u{2026}' => 0x85,
        '\u{2018}' => 0x91,
        '\u{2019}' => 0x92,
        '\u{201c}' => 0x93,
        '\u{201d}' => 0x94,
        '\u{2013}' => 0x96,
        '\u{2014}' => 0x97,
        '\u{20ac}' => 0x80,
        _ => b'?',
    }
}
