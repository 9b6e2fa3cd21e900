/* The floor: a hook that only reads the time stamp counter, where gilscope's own hook would stand.
 *
 * stamp_on() puts it into every GOT entry of the process that calls pthread_cond_signal, stamp_off() puts
 * the old values back. What one GIL cycle costs more then is the price of two rdtsc in that very place,
 * between locked instructions, where it is about twice that of a tight loop. For the harness only: it does
 * nothing that makes it safe in a program which does more than a loop.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLACES = 64 };
static void **places[PLACES];
static void *before[PLACES];
static int n_places;
static void *stamp_original __attribute__((used));

__attribute__((naked)) static void stamp_hook(void) {
    __asm__("rdtsc\n\tjmp *stamp_original(%rip)");
}

static void look(struct dl_phdr_info *info, const ElfW(Rela) *rela, size_t bytes, const ElfW(Sym) *symbols,
                 const char *names) {
    for (size_t i = 0; rela && i < bytes / sizeof *rela; i++) {
        const char *name = names + symbols[ELF64_R_SYM(rela[i].r_info)].st_name;
        unsigned long type = ELF64_R_TYPE(rela[i].r_info);
        int wanted = (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT)
                     && !strcmp(name, "pthread_cond_signal");
        if (wanted && n_places < PLACES) places[n_places++] = (void **)(info->dlpi_addr + rela[i].r_offset);
    }
}

static int each(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    const ElfW(Dyn) *dynamic = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    const ElfW(Rela) *plt = 0, *rela = 0;
    const ElfW(Sym) *symbols = 0;
    const char *names = 0;
    size_t plt_bytes = 0, rela_bytes = 0;
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        switch (dynamic->d_tag) {
        case DT_JMPREL: plt = (const void *)dynamic->d_un.d_ptr; break;
        case DT_PLTRELSZ: plt_bytes = dynamic->d_un.d_val; break;
        case DT_RELA: rela = (const void *)dynamic->d_un.d_ptr; break;
        case DT_RELASZ: rela_bytes = dynamic->d_un.d_val; break;
        case DT_SYMTAB: symbols = (const void *)dynamic->d_un.d_ptr; break;
        case DT_STRTAB: names = (const void *)dynamic->d_un.d_ptr; break;
        }
    }
    /* The vDSO's table holds addresses that were never relocated. */
    if (!symbols || !names || (unsigned long)symbols < info->dlpi_addr) return 0;
    look(info, plt, plt_bytes, symbols, names);
    look(info, rela, rela_bytes, symbols, names);
    return 0;
}

static void put(void **place, void *value) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    mprotect((void *)((size_t)place & ~(page - 1)), page, PROT_READ | PROT_WRITE);
    __atomic_store_n(place, value, __ATOMIC_SEQ_CST);
}

/* Returns how many entries were changed. `original` is libc's function. */
int stamp_on(void *original) {
    stamp_original = original;
    n_places = 0;
    dl_iterate_phdr(each, 0);
    for (int i = 0; i < n_places; i++) {
        before[i] = *places[i];
        put(places[i], (void *)stamp_hook);
    }
    return n_places;
}

void stamp_off(void) {
    for (int i = 0; i < n_places; i++) put(places[i], before[i]);
}
