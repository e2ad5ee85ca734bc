/* SPDX-License-Identifier: Apache-2.0 */
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "server/settle.h"

/* Segments that can't be written to hold what is in the file: nothing is lost with their pages. */
static void settle_segment(uintptr_t base, const ElfW(Phdr) * segment, uintptr_t page)
{
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
        return;
    uintptr_t begin = (base + segment->p_vaddr) & ~(page - 1);
    uintptr_t end = (base + segment->p_vaddr + segment->p_filesz + page - 1) & ~(page - 1);
    /* Refused, they stay: that costs memory and nothing else. */
    (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static bool settle_has_text_relocations(const struct dl_phdr_info *info)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL)
                return true;
    }
    return false;
}

static int settle_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const uintptr_t *page = arg;
    /* The kernel's own has no file behind it. */
    if (info->dlpi_name && strstr(info->dlpi_name, "vdso"))
        return 0;
    if (settle_has_text_relocations(info))
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++)
        settle_segment(info->dlpi_addr, &info->dlpi_phdr[i], *page);
    return 0;
}

void cleat_settle(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    cleat_mem_trim();
    (void)dl_iterate_phdr(settle_object, &page); /* the callback never stops it */
}

static int settle_start(void *arg, struct cleat_err *err)
{
    cleat_settle();
    return 0;
}

struct cleat_runnable cleat_settle_runnable(void)
{
    return (struct cleat_runnable){
        .name = "settle", .group = CLEAT_GROUP_OTHERS, .start = settle_start};
}
