// From the PVH entry (32-bit protected mode, paging off, EBX = hvm_start_info; Xen docs/misc/pvh.pandoc) to pvh_main in long
// mode: clear .bss, identity-map 4 GiB in 2 MiB pages (all writable and not executable but the first, which paging.cpp
// splits), switch on PAE, NX, SSE and long mode.

    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18                  // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_entry

    .section .text.entry, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld
    rdtsc
    movl %eax, %esi
    movl %edx, %ebp
    movl $bss_begin, %edi           // .bss is 16-aligned at both ends
    movl $bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl %esi, entry_tsc
    movl %ebp, entry_tsc + 4
    movl %ebx, start_info_address

    // PML4[0] -> PDPT; PDPT[0..3] -> four page directories
    movl $page_pdpt + 3, page_pml4
    movl $page_directories + 3, %eax
    movl $page_pdpt, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    // 2048 pages: present | write | accessed | dirty | large, and NX in the high word; the last GiB is devices: uncached.
    movl $page_directories, %edi
    movl $0xe3, %eax
2:  movl %eax, (%edi)
    movl $0x80000000, 4(%edi)
    cmpl $0xc0000000, %eax
    jb 3f
    orl $0x18, (%edi)
3:  addl $8, %edi
    addl $0x200000, %eax
    jnc 2b
    movl $0, page_directories + 4   // the image itself lies in the first page: executable until paging.cpp is done

    movl $page_pml4, %eax
    movl %eax, %cr3
    movl $0x6a0, %eax               // CR4: PAE, PGE, OSFXSR, OSXMMEXCPT
    movl %eax, %cr4
    movl $0xc0000080, %ecx          // EFER: LME, NXE
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl $0x80010033, %eax          // CR0: PG, WP, NE, ET, MP, PE; not EM, not TS
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x08, $long_mode

    .code64
long_mode:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movl $main_stack_end, %esp
    fninit
    xorl %ebp, %ebp
    callq pvh_main
    ud2

    .section .data.gdt, "aw"
    .align 8
    .globl gdt_tss
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        // 0x08: 64-bit code
    .quad 0x00cf93000000ffff        // 0x10: data
gdt_tss:
    .quad 0, 0                      // 0x18: the task state segment, filled by traps.cpp
gdt_pointer:
    .word . - gdt - 1
    .quad gdt

    .section .bss.start, "aw", @nobits
    .align 4096
    .globl page_pml4, page_pdpt, page_directories, main_stack_begin, main_stack_end
page_pml4:        .skip 4096
page_pdpt:        .skip 4096
page_directories: .skip 4 * 4096
main_stack_begin: .skip 4096        // guard page: paging.cpp unmaps it
                  .skip 16 * 1024    // until entry.cpp takes the main stack
main_stack_end:
    .globl entry_tsc, start_info_address
entry_tsc:          .skip 8
start_info_address: .skip 8

    .section .note.GNU-stack, "", @progbits
