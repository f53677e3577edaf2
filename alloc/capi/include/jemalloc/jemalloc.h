/*
 * The C interface of jeprof-rs' allocator, which is jemalloc's: same names, same types, same flags.
 *
 * Every function is there three times: under its plain name, as je_NAME and as _rjem_NAME. Link with -ljemalloc.
 *
 * With JEMALLOC_MANGLE defined before this file is included, the plain names become macros for the je_ ones.
 */
#ifndef JEMALLOC_H_
#define JEMALLOC_H_

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

/* The version of jemalloc whose interface this is; mallctl("version") tells the same. */
#define JEMALLOC_VERSION "5.3.1-0-g0"
#define JEMALLOC_VERSION_MAJOR 5
#define JEMALLOC_VERSION_MINOR 3
#define JEMALLOC_VERSION_BUGFIX 1
#define JEMALLOC_VERSION_NREV 0
#define JEMALLOC_VERSION_GID "0"
#define JEMALLOC_VERSION_GID_IDENT 0

/*
 * Flags of the *allocx functions, one bit field (arena + 1, cache + 2, zero, log2 of the alignment):
 * aaaaaaaa aaaatttt tttttttt 0znnnnnn
 */

/* Alignment as its binary logarithm. */
#define MALLOCX_LG_ALIGN(la) ((int)(la))
/* Alignment, a power of two; not checked. */
#ifdef __GNUC__
#define MALLOCX_ALIGN(a) ((int)__builtin_ctzll((unsigned long long)(a)))
#else
#define MALLOCX_ALIGN(a) ((int)((size_t)(a) < (size_t)INT_MAX ? ffs((int)(a)) - 1 : ffs((int)((size_t)(a) >> 32)) + 31))
#endif
/* The memory is zero; with rallocx and xallocx, what lies beyond the old usable size. */
#define MALLOCX_ZERO ((int)0x40)
/* The cache that mallctl("tcache.create") made. */
#define MALLOCX_TCACHE(tc) ((int)(((tc) + 2) << 8))
/* No cache. */
#define MALLOCX_TCACHE_NONE MALLOCX_TCACHE(-1)
/* The arena of this index; together with MALLOCX_TCACHE_NONE or a cache of the caller's own. */
#define MALLOCX_ARENA(a) ((((int)(a)) + 1) << 20)

/* Indices in "arena.<i>.*" and "stats.arenas.<i>.*"; plain numbers, so that they can be made strings. */
#define MALLCTL_ARENAS_ALL 4096
#define MALLCTL_ARENAS_DESTROYED 4097

/* Attributes, for the compilers that know them. */
#ifdef __GNUC__
#define JEMALLOC_ATTR(s) __attribute__((s))
#else
#define JEMALLOC_ATTR(s)
#endif
#ifndef JEMALLOC_EXPORT
#define JEMALLOC_EXPORT JEMALLOC_ATTR(visibility("default"))
#endif
#define JEMALLOC_ALIGNED(s) JEMALLOC_ATTR(aligned(s))
#define JEMALLOC_ALLOC_SIZE(s) JEMALLOC_ATTR(alloc_size(s))
#define JEMALLOC_ALLOC_SIZE2(s1, s2) JEMALLOC_ATTR(alloc_size(s1, s2))
#define JEMALLOC_NOTHROW JEMALLOC_ATTR(nothrow)
#define JEMALLOC_SYS_NOTHROW JEMALLOC_NOTHROW
#define JEMALLOC_NOINLINE JEMALLOC_ATTR(noinline)
#define JEMALLOC_RESTRICT_RETURN
#define JEMALLOC_ALLOCATOR
/* Where the C library declares a function as throwing nothing, a second declaration has to say the same. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define JEMALLOC_CXX_THROW noexcept(true)
#elif defined(__cplusplus)
#define JEMALLOC_CXX_THROW throw()
#else
#define JEMALLOC_CXX_THROW
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How an arena gets and gives back address space: mallctl("arena.<i>.extent_hooks"). True means refused. */
typedef struct extent_hooks_s extent_hooks_t;
typedef void *(extent_alloc_t)(extent_hooks_t *hooks, void *new_addr, size_t size, size_t alignment, bool *zero,
                               bool *commit, unsigned arena);
typedef bool(extent_dalloc_t)(extent_hooks_t *hooks, void *addr, size_t size, bool committed, unsigned arena);
typedef void(extent_destroy_t)(extent_hooks_t *hooks, void *addr, size_t size, bool committed, unsigned arena);
typedef bool(extent_commit_t)(extent_hooks_t *hooks, void *addr, size_t size, size_t offset, size_t length,
                              unsigned arena);
typedef bool(extent_decommit_t)(extent_hooks_t *hooks, void *addr, size_t size, size_t offset, size_t length,
                                unsigned arena);
typedef bool(extent_purge_t)(extent_hooks_t *hooks, void *addr, size_t size, size_t offset, size_t length,
                             unsigned arena);
typedef bool(extent_split_t)(extent_hooks_t *hooks, void *addr, size_t size, size_t size_a, size_t size_b,
                             bool committed, unsigned arena);
typedef bool(extent_merge_t)(extent_hooks_t *hooks, void *addr_a, size_t size_a, void *addr_b, size_t size_b,
                             bool committed, unsigned arena);
struct extent_hooks_s {
    extent_alloc_t *alloc; /* the only one that must be there */
    extent_dalloc_t *dalloc;
    extent_destroy_t *destroy;
    extent_commit_t *commit;
    extent_decommit_t *decommit;
    extent_purge_t *purge_lazy;
    extent_purge_t *purge_forced;
    extent_split_t *split;
    extent_merge_t *merge;
};

/*
 * Everything under names that begin with P, which may be empty.
 *
 * Variables: malloc_conf holds options that the program brings with it, malloc_conf_2_conf_harder those that outdo the
 * environment's; a program sets them by defining them. malloc_message gets every message, and statistics that have no
 * receiver of their own; it may be assigned at any time.
 */
#define JEMALLOC_DECLARE(P)                                                                                            \
    extern JEMALLOC_EXPORT const char *P##malloc_conf;                                                                 \
    extern JEMALLOC_EXPORT const char *P##malloc_conf_2_conf_harder;                                                   \
    extern JEMALLOC_EXPORT void (*P##malloc_message)(void *cbopaque, const char *s);                                   \
                                                                                                                       \
    JEMALLOC_EXPORT void *P##malloc(size_t size)                                                                       \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE(1);                        \
    JEMALLOC_EXPORT void *P##calloc(size_t num, size_t size)                                                           \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE2(1, 2);                    \
    JEMALLOC_EXPORT int P##posix_memalign(void **memptr, size_t alignment, size_t size)                                \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(nonnull(1));                                           \
    JEMALLOC_EXPORT void *P##aligned_alloc(size_t alignment, size_t size)                                              \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE(2);                        \
    JEMALLOC_EXPORT void *P##realloc(void *ptr, size_t size)                                                           \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ALLOC_SIZE(2);                                              \
    JEMALLOC_EXPORT void P##free(void *ptr) JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow);                                 \
    JEMALLOC_EXPORT void P##free_sized(void *ptr, size_t size) JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow);              \
    JEMALLOC_EXPORT void P##free_aligned_sized(void *ptr, size_t alignment, size_t size)                               \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow);                                                                     \
    JEMALLOC_EXPORT void *P##memalign(size_t alignment, size_t size)                                                   \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE(2);                        \
    JEMALLOC_EXPORT void *P##valloc(size_t size)                                                                       \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE(1);                        \
    JEMALLOC_EXPORT void *P##pvalloc(size_t size)                                                                      \
        JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc);                                               \
    JEMALLOC_EXPORT size_t P##malloc_usable_size(void *ptr) JEMALLOC_CXX_THROW JEMALLOC_ATTR(nothrow);                 \
                                                                                                                       \
    JEMALLOC_EXPORT void *P##mallocx(size_t size, int flags)                                                           \
        JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(malloc) JEMALLOC_ALLOC_SIZE(1);                                           \
    JEMALLOC_EXPORT void *P##rallocx(void *ptr, size_t size, int flags)                                                \
        JEMALLOC_ATTR(nothrow) JEMALLOC_ALLOC_SIZE(2);                                                                 \
    JEMALLOC_EXPORT size_t P##xallocx(void *ptr, size_t size, size_t extra, int flags) JEMALLOC_ATTR(nothrow);         \
    JEMALLOC_EXPORT size_t P##sallocx(const void *ptr, int flags) JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(pure);          \
    JEMALLOC_EXPORT void P##dallocx(void *ptr, int flags) JEMALLOC_ATTR(nothrow);                                      \
    JEMALLOC_EXPORT void P##sdallocx(void *ptr, size_t size, int flags) JEMALLOC_ATTR(nothrow);                        \
    JEMALLOC_EXPORT size_t P##nallocx(size_t size, int flags) JEMALLOC_ATTR(nothrow) JEMALLOC_ATTR(pure);              \
                                                                                                                       \
    JEMALLOC_EXPORT int P##mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)           \
        JEMALLOC_ATTR(nothrow);                                                                                        \
    JEMALLOC_EXPORT int P##mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)                           \
        JEMALLOC_ATTR(nothrow);                                                                                        \
    JEMALLOC_EXPORT int P##mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,     \
                                        size_t newlen) JEMALLOC_ATTR(nothrow);                                         \
    JEMALLOC_EXPORT void P##malloc_stats_print(void (*write_cb)(void *, const char *), void *cbopaque,                 \
                                               const char *opts) JEMALLOC_ATTR(nothrow)

JEMALLOC_DECLARE();
JEMALLOC_DECLARE(je_);
JEMALLOC_DECLARE(_rjem_);

#undef JEMALLOC_DECLARE

#ifdef __cplusplus
}
#endif

#ifdef JEMALLOC_MANGLE
#define malloc_conf je_malloc_conf
#define malloc_conf_2_conf_harder je_malloc_conf_2_conf_harder
#define malloc_message je_malloc_message
#define malloc je_malloc
#define calloc je_calloc
#define posix_memalign je_posix_memalign
#define aligned_alloc je_aligned_alloc
#define realloc je_realloc
#define free je_free
#define free_sized je_free_sized
#define free_aligned_sized je_free_aligned_sized
#define memalign je_memalign
#define valloc je_valloc
#define pvalloc je_pvalloc
#define malloc_usable_size je_malloc_usable_size
#define mallocx je_mallocx
#define rallocx je_rallocx
#define xallocx je_xallocx
#define sallocx je_sallocx
#define dallocx je_dallocx
#define sdallocx je_sdallocx
#define nallocx je_nallocx
#define mallctl je_mallctl
#define mallctlnametomib je_mallctlnametomib
#define mallctlbymib je_mallctlbymib
#define malloc_stats_print je_malloc_stats_print
#endif

#endif
