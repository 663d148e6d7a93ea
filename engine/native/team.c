/* A team of threads that sleep between programs. One program runs at a time. */

#define _GNU_SOURCE /* for the processors that a thread may run on */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "prelude.h"

typedef void (*Run)(Team *team, int me, int first, int last, char *arena, char *const *outside);

/* Steps of a program to be run: first to last, last excluded. */
typedef struct {
    Run run;
    int first, last;
    char *arena;
    char *const *outside;
} Steps;

typedef struct {
    Team team;
    pthread_mutex_t one_program;
    atomic_int job, idle; /* which job is the latest, and how many workers sleep until the next */
    int hired; /* workers that exist: none before the first job, then one fewer than threads */
    pthread_t *workers;
    int avoided; /* the processor that the workers were last kept off */
    pid_t process;
    Steps steps; /* of the latest job */
} Crew;

typedef struct {
    Crew *crew;
    int me;
    int job;
} Worker;

static void work(Crew *crew, int me)
{
    const Steps *s = &crew->steps;
    s->run(&crew->team, me, s->first, s->last, s->arena, s->outside);
    barrier(&crew->team);
}

static void *worker(void *argument)
{
    Worker me = *(Worker *)argument;
    free(argument);
    for (int job = me.job;; job++) {
        await_change(&me.crew->job, &me.crew->idle, job);
        work(me.crew, me.me);
    }
    return NULL;
}

/* Keep the workers off the caller's processor. A kernel likes to wake a thread where it was called
   from, and moves it to an idle processor only some milliseconds later, when all may be over. */
static void keep_off_my_processor(Crew *crew)
{
#if defined(__linux__)
    int mine = sched_getcpu();
    cpu_set_t allowed;
    if (!crew->hired || mine == crew->avoided || sched_getaffinity(0, sizeof allowed, &allowed))
        return;
    CPU_CLR(mine, &allowed);
    if (CPU_COUNT(&allowed) == 0)
        return;
    for (int i = 0; i < crew->hired; i++)
        pthread_setaffinity_np(crew->workers[i], sizeof allowed, &allowed);
    crew->avoided = mine;
#endif
}

static int hire(Crew *crew)
{
    if (crew->process != getpid()) { /* a forked process has none of its parent's threads */
        crew->process = getpid();
        crew->hired = 0;
        crew->avoided = -1;
        atomic_store(&crew->team.arrived, 0);
        atomic_store(&crew->team.sleepers, 0);
        atomic_store(&crew->idle, 0);
    }
    while (crew->hired < crew->team.threads - 1) {
        Worker *who = malloc(sizeof *who);
        if (!who)
            return -1;
        *who = (Worker){crew, crew->hired + 1, atomic_load(&crew->job)};
        if (pthread_create(&crew->workers[crew->hired], NULL, worker, who)) {
            free(who);
            return -1;
        }
        pthread_detach(crew->workers[crew->hired++]);
    }
    return 0;
}

Crew *new_crew(int threads)
{
    Crew *crew = calloc(1, sizeof *crew);
    if (!crew || !(crew->workers = calloc(threads, sizeof *crew->workers)))
        return NULL;
    crew->team.threads = threads;
    pthread_mutex_init(&crew->one_program, NULL);
    return crew;
}

/* Returns -1 where threads could not be started. */
int run_steps(Crew *crew, const Steps *steps)
{
    pthread_mutex_lock(&crew->one_program);
    int failed = hire(crew);
    if (!failed) {
        crew->steps = *steps;
        keep_off_my_processor(crew);
        change(&crew->job, &crew->idle, atomic_load(&crew->job) + 1);
        work(crew, 0);
    }
    pthread_mutex_unlock(&crew->one_program);
    return failed;
}
