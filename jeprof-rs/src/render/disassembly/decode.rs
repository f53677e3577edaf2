//! Machine code as text.

use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter, Instruction, IntelFormatter};
use object::Architecture;

/// One instruction.
pub struct Decoded {
    /// Its address.
    pub address: u64,
    /// Its bytes.
    pub length: u64,
    /// Mnemonic and operands.
    pub text: String,
    /// Where it jumps to or what it calls, when that is fixed.
    pub target: Option<u64>,
}

/// The instructions of a function that lies at `start`.
///
/// # Errors
/// In words: no decoder for the processor.
pub fn decode(
    bytes: &[u8],
    start: u64,
    architecture: Architecture,
    intel_syntax: bool,
) -> Result<Vec<Decoded>, String> {
    let bits = match architecture {
        Architecture::X86_64 | Architecture::X86_64_X32 => 64,
        Architecture::I386 => 32,
        other => return Err(format!("instructions of {other:?} are not decoded, only those of x86")),
    };
    let mut formatter: Box<dyn Formatter> =
        if intel_syntax { Box::new(IntelFormatter::new()) } else { Box::new(GasFormatter::new()) };
    let options = formatter.options_mut();
    options.set_small_hex_numbers_in_decimal(false);
    options.set_branch_leading_zeros(false);
    options.set_uppercase_hex(false);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_space_after_operand_separator(false);
    options.set_first_operand_char_index(7);
    options.set_rip_relative_addresses(false);
    let mut decoder = Decoder::with_ip(bits, bytes, start, DecoderOptions::NONE);
    let mut decoded = Vec::new();
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        decoded.push(Decoded {
            address: instruction.ip(),
            length: instruction.len() as u64,
            text,
            // Zero for everything else.
            target: Some(instruction.near_branch_target()).filter(|target| *target != 0),
        });
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `push %rbp; mov %rsp,%rbp; call next; nop; jmp *%rax; (bad)`
    const CODE: [u8; 13] = [0x55, 0x48, 0x89, 0xe5, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x90, 0xff, 0xe0, 0x06];

    fn texts(intel_syntax: bool) -> Vec<(u64, String, Option<u64>)> {
        let decoded = decode(&CODE, 0x1000, Architecture::X86_64, intel_syntax).unwrap();
        decoded.into_iter().map(|one| (one.address, one.text, one.target)).collect()
    }

    #[test]
    fn code_is_written_in_both_syntaxes() {
        let own = |address, text: &str, target| (address, text.to_string(), target);
        assert_eq!(
            texts(false),
            [
                own(0x1000, "push   %rbp", None),
                own(0x1001, "mov    %rsp,%rbp", None),
                own(0x1004, "call   0x1009", Some(0x1009)),
                own(0x1009, "nop", None),
                own(0x100a, "jmp    *%rax", None),
                own(0x100c, "(bad)", None),
            ]
        );
        assert_eq!(texts(true)[1].1, "mov    rbp,rsp");
    }

    #[test]
    fn other_processors_are_refused() {
        assert!(decode(&CODE, 0, Architecture::Aarch64, false).err().unwrap().contains("only those of x86"));
    }
}
