/* A pool of threads that sleep between programs. One program runs at a time, unless the pool has
   one thread only: then each caller runs its own. */

#define _GNU_SOURCE /* for the functions that set which processors a thread may run on */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "prelude.h"

typedef void (*Run)(Team *team, int me, int first, int last, char *arena, char *const *outside);

/* A range of a program's steps to run: from first to last, last excluded. */
typedef struct {
    Run run;
    int first, last;
    char *arena;
    char *const *outside;
} Steps;

typedef struct ThreadPool ThreadPool;

struct ThreadPool {
    Team team;
    pthread_mutex_t one_program;
    atomic_int job, idle; /* the latest job's number, and how many workers sleep until the next */
    int hired; /* workers started: none before the first job, then one fewer than threads */
    pthread_t *workers;
    int avoided; /* the processor that the workers were last kept off */
    Steps steps; /* of the latest job */
    ThreadPool *next; /* of the list of all pools */
};

static ThreadPool *all_pools;

typedef struct {
    ThreadPool *pool;
    int me;
    int job;
} Worker;

static void work(ThreadPool *pool, int me)
{
    const Steps *s = &pool->steps;
    s->run(&pool->team, me, s->first, s->last, s->arena, s->outside);
    barrier(&pool->team);
}

static void *worker(void *argument)
{
    Worker me = *(Worker *)argument;
    free(argument);
    for (int job = me.job;; job++) {
        await_change(&me.pool->job, &me.pool->idle, job);
        work(me.pool, me.me);
    }
    return NULL;
}

/* Keep the workers off the caller's processor. The kernel tends to wake a thread on the processor
   of the thread that wakes it, and to move it to an idle one only some milliseconds later, when the
   work may be over. */
static void keep_off_my_processor(ThreadPool *pool)
{
#if defined(__linux__)
    int mine = sched_getcpu();
    cpu_set_t allowed;
    if (!pool->hired || mine == pool->avoided || sched_getaffinity(0, sizeof allowed, &allowed))
        return;
    CPU_CLR(mine, &allowed);
    if (CPU_COUNT(&allowed) == 0)
        return;
    for (int i = 0; i < pool->hired; i++)
        pthread_setaffinity_np(pool->workers[i], sizeof allowed, &allowed);
    pool->avoided = mine;
#endif
}

/* As if no job had run yet. */
static void start_afresh(ThreadPool *pool)
{
    pthread_mutex_init(&pool->one_program, NULL);
    pool->hired = 0;
    pool->avoided = -1;
    atomic_store(&pool->team.arrived, 0);
    atomic_store(&pool->team.sleepers, 0);
    atomic_store(&pool->idle, 0);
}

/* A forked process has none of its parent's threads, also not the one that holds a mutex. */
static void in_forked_process(void)
{
    for (ThreadPool *pool = all_pools; pool; pool = pool->next)
        start_afresh(pool);
}

static int hire(ThreadPool *pool)
{
    while (pool->hired < pool->team.threads - 1) {
        Worker *who = malloc(sizeof *who);
        if (!who)
            return -1;
        *who = (Worker){pool, pool->hired + 1, atomic_load(&pool->job)};
        if (pthread_create(&pool->workers[pool->hired], NULL, worker, who)) {
            free(who);
            return -1;
        }
        pthread_detach(pool->workers[pool->hired++]);
    }
    return 0;
}

ThreadPool *new_pool(int threads)
{
    ThreadPool *pool = calloc(1, sizeof *pool);
    if (!pool || !(pool->workers = calloc(threads, sizeof *pool->workers)))
        return NULL;
    pool->team.threads = threads;
    start_afresh(pool);
    if (!all_pools && pthread_atfork(NULL, NULL, in_forked_process))
        return NULL;
    pool->next = all_pools;
    all_pools = pool;
    return pool;
}

/* Returns -1 if threads could not be started, else 0. */
int run_steps(ThreadPool *pool, const Steps *steps)
{
    if (pool->team.threads == 1) {
        steps->run(&pool->team, 0, steps->first, steps->last, steps->arena, steps->outside);
        return 0;
    }
    pthread_mutex_lock(&pool->one_program);
    int failed = hire(pool);
    if (!failed) {
        pool->steps = *steps;
        keep_off_my_processor(pool);
        change(&pool->job, &pool->idle, atomic_load(&pool->job) + 1);
        work(pool, 0);
    }
    pthread_mutex_unlock(&pool->one_program);
    return failed;
}
