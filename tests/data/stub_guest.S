// The smallest guest: a PVH image that says it is ready and halts (for tests of the deployer alone).
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .code32
    .globl start
start:
    movl $text, %esi
1:  lodsb
    testb %al, %al
    jz 2f
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 1b
2:  hlt
    jmp 2b
    .section .rodata
text: .asciz "unibpf ready guest=stub graph=stub elements=0 nics=0 ns=1\n"
