// The packed image's PVH entry: unpacks the LZ4 block (pack_image.py) to where the image was linked, and goes on there. As at
// any PVH entry: 32-bit protected mode, paging off, EBX = hvm_start_info, which the image finds unchanged. The block is ours,
// so the decoder checks nothing.

    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18                  // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long unpack_entry

    .text
    .code32
    .globl unpack_entry
unpack_entry:
    cli
    cld
    movl $0x200000, %esp            // one return address, in the page that pack_image.py keeps free
    movl $packed + 8, %esi
    movl packed + 4, %edi
    xorl %eax, %eax

sequence:
    lodsb                           // token: literals << 4 | (match - 4)
    movl %eax, %edx
    shrl $4, %eax
    call length
    rep movsb                       // literals
    cmpl $packed_end, %esi
    jae done
    lodsw                           // distance back
    movl %edi, %ebp
    subl %eax, %ebp
    movl %edx, %eax
    andl $15, %eax
    call length
    addl $4, %ecx
    xchgl %esi, %ebp
    rep movsb                       // a match may overlap itself: byte by byte is what the format means
    movl %ebp, %esi
    xorl %eax, %eax
    jmp sequence

// ECX = the length in EAX (0..15), with the bytes that follow a 15 added; EAX = 0.
length:
    movl %eax, %ecx
    cmpl $15, %eax
    jne 2f
1:  lodsb
    movzbl %al, %eax
    addl %eax, %ecx
    cmpl $255, %eax
    je 1b
2:  xorl %eax, %eax
    ret

done:
    jmpl *packed

    .section .rodata, "a"
    .align 4
packed:
    .incbin PACKED
packed_end:

    .section .note.GNU-stack, "", @progbits
