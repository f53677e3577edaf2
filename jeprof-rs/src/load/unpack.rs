//! Compression, told by content.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

type Open = fn(&[u8]) -> Box<dyn Unpacker + '_>;

/// One compression.
struct Packing {
    magic: &'static [u8],
    name: &'static str,
    /// Unpacks a whole stream; `None` for what is recognised only to be named.
    open: Option<Open>,
}

const PACKINGS: &[Packing] = &[
    Packing { magic: &[0x1f, 0x8b], name: "gzip", open: Some(|bytes| Box::new(MultiGzDecoder::new(bytes))) },
    Packing {
        magic: &[0x28, 0xb5, 0x2f, 0xfd],
        name: "zstd",
        open: Some(|bytes| Box::new(Frames { rest: bytes, frame: None })),
    },
    Packing {
        magic: &[0xfd, b'7', b'z', b'X', b'Z', 0],
        name: "xz",
        open: Some(|bytes| Box::new(XzReader::new(bytes, true))),
    },
    Packing { magic: b"BZh", name: "bzip2", open: None },
];

/// Past this size, a stream that shrank to less than a [`SUSPICIOUS_RATIO`]th is measured to its end before it is held
/// in memory. Profiles shrink to a tenth, those with long repeated paths to a thirtieth.
const SUSPICIOUS_BYTES: u64 = 64 << 20;

const SUSPICIOUS_RATIO: u64 = 50;

/// The bytes themselves, or what they unpack to.
///
/// **Cost**: a stream that is refused has been unpacked up to the limit; of one that consists of repetitions nothing
/// beyond [`SUSPICIOUS_BYTES`] was held, and when it is within the limit it has been unpacked twice.
///
/// # Errors
/// In words: the stream is broken or cut short, is too large unpacked, or is of another compression.
pub fn unpack(bytes: Cow<'_, [u8]>, unpacked_max: u64) -> Result<Cow<'_, [u8]>, String> {
    let Some(packing) = PACKINGS.iter().find(|packing| bytes.starts_with(packing.magic)) else {
        return Ok(bytes);
    };
    let name = packing.name;
    let Some(open) = packing.open else {
        return Err(format!(
            "is compressed with {name}: unpack it first (gzip, zstd and xz are read as they are)"
        ));
    };
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => format!("{name}: the file is cut short"),
        _ => format!("{name}: {error}"),
    };
    let too_large =
        || format!("{name}: unpacks to more than {} MiB (--unpack_max=MIB raises it)", unpacked_max >> 20);
    let mut stream = open(&bytes);
    let mut unpacked = Vec::new();
    let first_part = SUSPICIOUS_BYTES.min(unpacked_max + 1);
    (&mut stream).take(first_part).read_to_end(&mut unpacked).map_err(broken)?;
    let used = (bytes.len() - stream.packed_left()) as u64;
    if unpacked.len() as u64 == SUSPICIOUS_BYTES && used * SUSPICIOUS_RATIO < SUSPICIOUS_BYTES {
        let size =
            std::io::copy(&mut open(&bytes).take(unpacked_max + 1), &mut std::io::sink()).map_err(broken)?;
        if size > unpacked_max {
            return Err(too_large());
        }
        unpacked.reserve_exact(size as usize - unpacked.len());
    }
    let left = unpacked_max + 1 - unpacked.len() as u64;
    stream.take(left).read_to_end(&mut unpacked).map_err(broken)?;
    if unpacked.len() as u64 > unpacked_max {
        return Err(too_large());
    }
    if unpacked.is_empty() {
        return Err("unpacks to nothing, not a heap profile".into());
    }
    Ok(Cow::Owned(unpacked))
}

/// A stream that tells how much of its input it has not looked at.
trait Unpacker: Read {
    fn packed_left(&self) -> usize;
}

impl Unpacker for MultiGzDecoder<&[u8]> {
    fn packed_left(&self) -> usize {
        self.get_ref().len()
    }
}

impl Unpacker for XzReader<&[u8]> {
    fn packed_left(&self) -> usize {
        self.inner().len()
    }
}

/// zstd's frames, one after another, as `zstd -d` and `cat a.zst b.zst` want it. Skippable ones are passed over.
struct Frames<'a> {
    rest: &'a [u8],
    frame: Option<Box<StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>>>,
}

/// Magic number of the first kind of skippable frame, without its last four bits.
const SKIPPABLE: u32 = 0x184d_2a50;

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.read(buffer).map_err(|error| in_zstd(&error, frame.get_ref()))?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.rest = frame.get_ref();
                self.frame = None;
            }
            let word = |at: usize| {
                let bytes = self.rest.get(at..at + 4)?;
                Some(u32::from_le_bytes(bytes.try_into().ok()?))
            };
            if self.rest.is_empty() {
                return Ok(0);
            }
            if word(0).is_some_and(|magic| magic & !15 == SKIPPABLE) {
                let end = word(4).and_then(|length| 8usize.checked_add(length as usize));
                self.rest = end
                    .and_then(|end| self.rest.get(end..))
                    .ok_or(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?;
                continue;
            }
            let frame = StreamingDecoder::new(self.rest)
                .map_err(|error| in_zstd(&error, &self.rest[self.rest.len()..]))?;
            self.frame = Some(Box::new(frame));
        }
    }
}

impl Unpacker for Frames<'_> {
    fn packed_left(&self) -> usize {
        self.frame.as_ref().map_or(self.rest.len(), |frame| frame.get_ref().len())
    }
}

/// An error of the decoder: a stream that ends too early has used up all of its input.
fn in_zstd(error: &impl std::fmt::Display, left: &[u8]) -> std::io::Error {
    if left.is_empty() {
        std::io::ErrorKind::UnexpectedEof.into()
    } else {
        std::io::Error::other(error.to_string().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut writer =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    type Pack = fn(&[u8]) -> Vec<u8>;

    const PACKERS: [Pack; 3] = [gzip, zstd, xz];

    #[test]
    fn packed_bytes_are_unpacked_and_the_rest_is_left_alone() {
        assert_eq!(*unpack(b"heap_v2/1".as_slice().into(), 1).unwrap(), *b"heap_v2/1");
        for pack in PACKERS {
            assert_eq!(*unpack(pack(b"heap_v2/1").into(), 100).unwrap(), *b"heap_v2/1");
            let two = [pack(b"ab"), pack(b"cd")].concat();
            assert_eq!(*unpack(two.into(), 100).unwrap(), *b"abcd");
        }
        let skipped = [zstd(b"ab"), b"\x5a\x2a\x4d\x18\x02\x00\x00\x00xx".to_vec(), zstd(b"cd")].concat();
        assert_eq!(*unpack(skipped.into(), 100).unwrap(), *b"abcd");
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_the_limit_itself_is_fine() {
        for pack in PACKERS {
            let bomb = pack(&vec![b'x'; 1 << 20]);
            assert!(unpack(bomb.as_slice().into(), 1 << 20).is_ok());
            assert!(unpack(bomb.into(), (1 << 20) - 1).unwrap_err().contains("--unpack_max"));
        }
    }

    #[test]
    fn a_large_bomb_is_measured_before_it_is_held() {
        let size = SUSPICIOUS_BYTES as usize + (1 << 20);
        let bomb = gzip(&vec![b'x'; size]);
        assert!(unpack(bomb.as_slice().into(), size as u64 - 1).unwrap_err().contains("--unpack_max"));
        assert_eq!(unpack(bomb.as_slice().into(), size as u64).unwrap().len(), size);
    }

    #[test]
    fn every_cut_of_a_stream_is_an_error() {
        let content = b"heap profile: 1: 2 [3: 4] @ heap_v2/524288";
        for pack in PACKERS {
            let whole = pack(content);
            for cut in 6..whole.len() {
                assert!(unpack(whole[..cut].into(), 1 << 20).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn other_compressions_are_named() {
        assert!(unpack(b"BZh91AY".as_slice().into(), 1).unwrap_err().contains("bzip2"));
    }
}
