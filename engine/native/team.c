/* A team of threads that sleep between programs. One program runs at a time. */

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "prelude.h"

typedef void (*Run)(Team *team, int me, int first, int last, char *arena, char *const *outside);

typedef struct {
    Team team;
    pthread_mutex_t one_program;
    atomic_int job, idle; /* which job is the latest, and how many workers sleep until the next */
    int hired; /* workers that exist: none before the first job, then one fewer than threads */
    pid_t process;
    Run run;
    int first, last;
    char *arena;
    char *const *outside;
} Crew;

typedef struct {
    Crew *crew;
    int me;
    int job;
} Worker;

static void work(Crew *crew, int me)
{
    crew->run(&crew->team, me, crew->first, crew->last, crew->arena, crew->outside);
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

static int hire(Crew *crew)
{
    if (crew->process != getpid()) { /* a forked process has none of its parent's threads */
        crew->process = getpid();
        crew->hired = 0;
        atomic_store(&crew->team.arrived, 0);
        atomic_store(&crew->team.sleepers, 0);
        atomic_store(&crew->idle, 0);
    }
    while (crew->hired < crew->team.threads - 1) {
        Worker *who = malloc(sizeof *who);
        pthread_t thread;
        if (!who)
            return -1;
        *who = (Worker){crew, crew->hired + 1, atomic_load(&crew->job)};
        if (pthread_create(&thread, NULL, worker, who)) {
            free(who);
            return -1;
        }
        pthread_detach(thread);
        crew->hired++;
    }
    return 0;
}

Crew *new_crew(int threads)
{
    Crew *crew = calloc(1, sizeof *crew);
    if (!crew)
        return NULL;
    crew->team.threads = threads;
    pthread_mutex_init(&crew->one_program, NULL);
    return crew;
}

/* Run steps first to last, last excluded. Returns -1 where threads could not be started. */
int run_steps(Crew *crew, Run run, int first, int last, char *arena, char *const *outside)
{
    pthread_mutex_lock(&crew->one_program);
    int failed = hire(crew);
    if (!failed) {
        crew->run = run;
        crew->first = first;
        crew->last = last;
        crew->arena = arena;
        crew->outside = outside;
        change(&crew->job, &crew->idle, atomic_load(&crew->job) + 1);
        work(crew, 0);
    }
    pthread_mutex_unlock(&crew->one_program);
    return failed;
}
