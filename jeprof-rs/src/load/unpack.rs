//! Compression, told by content.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Compressions that are recognised to say so, not unpacked.
const OTHERS: [(&[u8], &str); 3] =
    [(&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"), (b"BZh", "bzip2")];

/// The bytes themselves, or what they unpack to.
///
/// # Errors
/// In words: the stream is broken or cut short, is too large unpacked, or is of another compression.
pub fn unpack(bytes: Cow<'_, [u8]>, unpacked_max: u64) -> Result<Cow<'_, [u8]>, String> {
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(format!("is compressed with {name}: unpack it first (gzip is read as it is)"));
    }
    if !bytes.starts_with(GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&*bytes).take(unpacked_max + 1).read_to_end(&mut unpacked).map_err(|error| {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "gzip: the file is cut short".to_string(),
            _ => format!("gzip: {error}"),
        }
    })?;
    if unpacked.len() as u64 > unpacked_max {
        return Err(format!(
            "gzip: unpacks to more than {} MiB (--unpack_max=MIB raises it)",
            unpacked_max >> 20
        ));
    }
    if unpacked.is_empty() {
        return Err("unpacks to nothing, not a heap profile".into());
    }
    Ok(Cow::Owned(unpacked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_and_the_rest_is_left_alone() {
        assert_eq!(*unpack(packed(b"heap_v2/1").into(), 100).unwrap(), *b"heap_v2/1");
        assert_eq!(*unpack(b"heap_v2/1".as_slice().into(), 1).unwrap(), *b"heap_v2/1");
        let two = [packed(b"ab"), packed(b"cd")].concat();
        assert_eq!(*unpack(two.into(), 100).unwrap(), *b"abcd");
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_the_limit_itself_is_fine() {
        let bomb = packed(&vec![b'x'; 1 << 20]);
        assert!(unpack(bomb.as_slice().into(), 1 << 20).is_ok());
        assert!(unpack(bomb.into(), (1 << 20) - 1).unwrap_err().contains("--unpack_max"));
    }

    #[test]
    fn every_cut_of_a_gzip_stream_is_an_error() {
        let whole = packed(b"heap profile: 1: 2 [3: 4] @ heap_v2/524288");
        for cut in 2..whole.len() {
            assert!(unpack(whole[..cut].into(), 1 << 20).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn other_compressions_are_named() {
        assert!(unpack(b"BZh91AY".as_slice().into(), 1).unwrap_err().contains("bzip2"));
    }
}
