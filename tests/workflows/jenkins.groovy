// Runs the stages of a Jenkinsfile on this machine, by Groovy: java -cp groovy.jar groovy.ui.GroovyMain jenkins.groovy
//   JENKINSFILE CHECKOUT WORK     WORK is an empty folder; each agent gets a workspace of its own below it
// Environment: PARAM_<NAME> (a parameter), BRANCH_NAME, CHANGE_ID, APPROVER (absent: the approval is rejected),
// ABORT (a file: once it exists, the build is aborted). Exit codes: 0 success, 1 failure, 2 aborted.
//
// It knows the directives and steps below, and stops at any other. What it cannot show: the transformation of Jenkins'
// own Groovy (CPS) and its sandbox, plugins, permissions of `submitter`, that locks exclude other builds.

import java.nio.file.Files
import java.nio.file.Path

class Aborted extends RuntimeException { }

class Environment extends LinkedHashMap<String, String> {
  String get(Object name) { containsKey(name) ? super.get(name) : System.getenv(name as String) }
}

class Conditions {
  List<Boolean> found = []
  Script jenkinsfile
  void beforeAgent(boolean first) { }
  void branch(String name) { found << (jenkinsfile.env.BRANCH_NAME == name && !jenkinsfile.env.CHANGE_ID) }
  void changeRequest() { found << (jenkinsfile.env.CHANGE_ID as boolean) }
  void expression(Closure asked) { found << (asked() as boolean) }
  void not(Closure inner) { found << !of(jenkinsfile, inner) }
  static boolean of(Script jenkinsfile, Closure asked) {
    def conditions = new Conditions(jenkinsfile: jenkinsfile)
    Directives.run(asked, conditions)
    conditions.found.every()
  }
}

class Post {
  Map<String, Closure> blocks = [:]
  void always(Closure block) { blocks.always = block }
  void failure(Closure block) { blocks.failure = block }
  void success(Closure block) { blocks.success = block }
}

class Stage {
  String name
  Closure condition, body, after
  boolean onAgent
  List<Stage> inner = []
  void when(Closure asked) { condition = asked }
  void agent(Object where) { onAgent = where != 'none' }
  void steps(Closure block) { body = block }
  void post(Closure block) { after = block }
  void stages(Closure block) { Directives.run(block, new Stages(all: inner)) }
}

class Stages {
  List<Stage> all
  void stage(String name, Closure block) {
    def made = new Stage(name: name)
    Directives.run(block, made)
    all << made
  }
}

class Options {
  void skipDefaultCheckout() { }
  void timeout(Map limit) { }
}

class Parameters {
  Map<String, String> values
  void string(Map named) { values[named.name] = System.getenv("PARAM_${named.name}") ?: named.defaultValue }
  void choice(Map named) {
    values[named.name] = System.getenv("PARAM_${named.name}") ?: named.choices[0]
    if (!(values[named.name] in named.choices)) { throw new IllegalArgumentException("${named.name} has no such choice") }
  }
}

class Directives {
  Script jenkinsfile
  List<Stage> all = []
  void agent(Object where) { if (where != 'none') { throw new IllegalStateException('only `agent none` is known here') } }
  void options(Closure block) { run(block, new Options()) }
  void parameters(Closure block) { run(block, new Parameters(values: jenkinsfile.params)) }
  void stages(Closure block) { run(block, new Stages(all: all)) }
  static void run(Closure block, Object to) {
    block.delegate = to
    block.resolveStrategy = Closure.DELEGATE_FIRST
    block()
  }
}

abstract class Pipeline extends Script {
  Path workspace
  List<String> locks = []

  void pipeline(Closure block) {
    def directives = new Directives(jenkinsfile: this)
    Directives.run(block, directives)
    directives.all.each { perform(it) }
  }

  void perform(Stage stage) {
    if (stage.condition && !Conditions.of(this, stage.condition)) { return }
    say("stage ${stage.name}")
    if (stage.onAgent) { workspace = Files.createTempDirectory(Path.of(work), 'agent') }
    boolean done = false
    try {
      if (stage.body) { stage.body() }
      stage.inner.each { perform(it) }
      done = true
    } finally {
      try {
        if (stage.after) { conclude(stage, done) }
      } finally {
        if (stage.onAgent) { workspace = null }
      }
    }
  }

  void conclude(Stage stage, boolean done) {
    def post = new Post()
    Directives.run(stage.after, post)
    post.blocks.subMap(['always', done ? 'success' : 'failure']).values().each { it() }
  }

  void say(String text) { println "[jenkins] ${text}" }

  // ---- steps

  void script(Closure block) { block() }

  void echo(String text) { println text }

  void checkout(Object what) { shell(['cp', '-a', "${checkout}/.".toString(), agent().toString()]) }

  void withEnv(List<String> pairs, Closure block) {
    def before = new LinkedHashMap(env)
    pairs.each { env[it.toString().split('=', 2)[0]] = it.toString().split('=', 2)[1] }
    try { block() } finally { env.keySet().retainAll(before.keySet()); before.each { name, value -> env[name] = value } }
  }

  Map file(Map named) { named }

  void withCredentials(List<Map> files, Closure block) {
    withEnv(files.collect { "${it.variable}=${work}/${it.credentialsId}".toString() }, block)
  }

  void lock(String name, Closure block) {
    locks << name
    say("lock ${name}")
    try { block() } finally { locks.remove(name) }
  }

  String readFile(String name) { agent().resolve(name).toFile().text }

  void archiveArtifacts(Map named) {
    named.artifacts.split(', *').each { name ->
      def path = agent().resolve(name).toFile()
      if (!path.exists() && !named.allowEmptyArchive) { throw new FileNotFoundException(name) }
      say("archived ${name}: ${path.exists() ? path.text.trim() : 'nothing'}")
    }
  }

  String input(Map named) {
    say("input ${named.message}; submitter ${named.submitter}; ${workspace ? 'holds' : 'without'} an agent; locks ${locks}")
    if (!System.getenv('APPROVER')) { throw new Aborted() }
    System.getenv('APPROVER')
  }

  void sh(String text) {
    def file = Files.createTempFile(Path.of(work), 'script', '.sh').toFile()
    file.text = text
    file.setExecutable(true)
    shell(text.startsWith('#!') ? [file.path] : ['sh', '-xe', file.path])
  }

  Path agent() {
    if (!workspace) { throw new IllegalStateException('this step needs an agent') }
    workspace
  }

  void shell(List<String> command) {
    def builder = new ProcessBuilder(command).directory(agent().toFile()).inheritIO()
    (params + env + [JENKINS_SERVER_COOKIE: 'durable-1', BUILD_NUMBER: '1']).each { name, value ->
      if (value != null) { builder.environment()[name] = value.toString() }
    }
    def process = builder.start()
    def aborted = false
    while (process.alive) {
      Thread.sleep(20)
      if (!aborted && System.getenv('ABORT') && new File(System.getenv('ABORT')).exists()) {
        aborted = true
        say('aborted')
        endTree(process.toHandle(), System.nanoTime() + 5_000_000_000L)
      }
    }
    if (aborted) { throw new Aborted() }
    if (process.exitValue()) { throw new IllegalStateException("script returned exit code ${process.exitValue()}") }
  }

  /** As Jenkins' ProcessTree on Linux: children first, SIGTERM to each, wait for it until a common deadline; no SIGKILL. */
  void endTree(ProcessHandle process, long deadline) {
    process.children().toList().each { endTree(it, deadline) }
    process.destroy()
    while (process.alive && System.nanoTime() < deadline) { Thread.sleep(10) }
  }
}

def (jenkinsfile, checkout, work) = args as List
def config = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: Pipeline.name)
def values = new Binding(env: new Environment(), params: [:], none: 'none', scm: 'scm', checkout: checkout, work: work)
def script = new GroovyShell(this.class.classLoader, values, config).parse(new File(jenkinsfile))
try {
  script.run()
  println '[jenkins] success'
} catch (Aborted aborted) {
  println '[jenkins] aborted build'
  System.exit(2)
} catch (IllegalStateException failed) {
  println "[jenkins] failure: ${failed.message}"
  System.exit(1)
}
